//! `eventstore lookup`: the first entry that was captured with a key.

use crate::arguments::Lookup;
use crate::entry;
use crate::failure::{Failure, Outcome};
use crate::screen::Screen;

pub(crate) fn run(arguments: &Lookup, screen: &mut Screen) -> Outcome {
    let path = &arguments.run;
    let reader = entry::open(path)?;
    let kind = arguments.index.kind();
    let found = reader.view().lookup(kind, &arguments.key);
    let Some(seq) = found.map_err(|error| Failure::about(path, &error))? else {
        let (path, name, key) = (path.display(), kind.name(), &arguments.key);
        return Err(Failure::Data(format!("{path}: no entry has the {name} {key:?}")));
    };
    entry::print(path, &reader, seq, arguments.json, screen)
}
