//! `eventstore get`: one entry by its sequence number.

use crate::arguments::Get;
use crate::entry;
use crate::failure::Outcome;
use crate::screen::Screen;

pub(crate) fn run(arguments: &Get, screen: &mut Screen) -> Outcome {
    let reader = entry::open(&arguments.run)?;
    entry::print(&arguments.run, &reader, arguments.seq, arguments.json, screen)
}
