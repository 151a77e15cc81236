//! `eventstore generate`: man pages and completions, from the definitions that parse the line.

use std::fs;
use std::path::Path;

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::arguments::{Arguments, Generate};
use crate::failure::{Exit, Failure, Outcome};

pub(crate) fn run(arguments: &Generate) -> Outcome {
    if arguments.man.is_none() && arguments.completions.is_none() {
        let text = "nothing to generate: give --man DIR, --completions DIR or both";
        return Err(Failure::CannotRun(text.into()));
    }
    let mut command = Arguments::command();
    if let Some(folder) = &arguments.man {
        in_folder(folder, |folder| clap_mangen::generate_to(command.clone(), folder))?;
    }
    if let Some(folder) = &arguments.completions {
        in_folder(folder, |folder| {
            for shell in Shell::value_variants() {
                clap_complete::generate_to(*shell, &mut command, "eventstore", folder)?;
            }
            Ok(())
        })?;
    }
    Ok(Exit::Done)
}

fn in_folder(
    folder: &Path,
    write: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let written = fs::create_dir_all(folder).and_then(|()| write(folder));
    written.map_err(|error| Failure::from_io(folder.display(), "writing", &error))
}
