//! `eventstore bench`: how close the store is to what the machine allows.
//!
//! What is measured goes through the exported C functions (`exported`), in turn with its limit and
//! its peers (`pairs`). One file a measurement, in the order of `plan`; each pushes rows (`row`),
//! which stand to the goals (`goals`, `verdict`) as they do: rows that lose stay in. Numbers of a
//! busy machine are marked, not withheld.

mod ack;
mod append;
mod arguments;
mod backends;
mod copies;
mod counted;
mod exported;
mod fill;
mod folder;
mod footprint;
mod frames;
mod goals;
mod idle;
mod lanes;
mod latency;
mod limits;
mod machine;
mod memory;
mod open;
mod pairs;
mod peers;
mod plan;
mod plot;
mod policy;
mod pool;
mod raw_loop;
mod read;
mod report;
mod row;
mod session;
mod submit;
mod verdict;
mod verify;
mod write;

use std::env;
use std::path::Path;

pub(crate) use arguments::{Bench, Fill};
pub(crate) use fill::run as fill;

use self::folder::WorkFolder;
use self::machine::Machine;
use self::pool::Shapes;
use self::row::NO_BACKEND;
use self::session::Session;
use crate::failure::{Exit, Failure, Outcome};
use crate::screen::{Screen, Tone};
use crate::table::{self, Align, Cell};

pub(crate) fn run(arguments: &Bench, screen: &mut Screen) -> Outcome {
    let shapes = Shapes::synthetic(arguments.payload);
    let captures = match &*arguments.capture {
        [] => None,
        paths => Some(Shapes::of_captures(paths)?),
    };
    let within = arguments.dir.clone().unwrap_or_else(env::temp_dir);
    let folder = WorkFolder::new(&within)?;
    let machine = Machine::look(folder.path());
    let mut session = Session::new(arguments, &shapes, folder);
    plan::measure(&mut session, captures.as_ref(), screen)?;
    let mut facts = machine.lines();
    facts.extend(noise_floor(&session));
    if let Some(path) = &arguments.report {
        let words: Vec<String> = env::args().skip(1).map(without_folders).collect();
        let command = format!("eventstore {}", words.join(" "));
        report::write(path, &command, &facts, &session)?;
    }
    if !arguments.json {
        print(&session, &facts, screen)?;
    }
    Ok(Exit::Done)
}

/// A word of the command line with its path cut to the last name: a report says what was measured,
/// not where somebody keeps it.
fn without_folders(word: String) -> String {
    let (option, path) = match word.split_once('=') {
        Some((option, path)) => (format!("{option}="), path),
        None => (String::new(), &*word),
    };
    match Path::new(path).file_name() {
        Some(name) => option + &name.to_string_lossy(),
        None => word,
    }
}

/// What ratios of equals came to: differences within are none.
fn noise_floor(session: &Session<'_>) -> Option<(&'static str, String)> {
    let again = session.rows.iter().filter(|row| row.backend == NO_BACKEND);
    let again: Vec<String> = again
        .filter_map(|row| {
            let (low, high) = row.interval?;
            Some(format!("{low:.2}-{high:.2} ({} of {})", row.what, row.batch))
        })
        .collect();
    (!again.is_empty()).then(|| ("noise floor, limit against itself", again.join(", ")))
}

/// The verdicts, the table, and what it was measured on.
fn print(
    session: &Session<'_>,
    facts: &[(&'static str, String)],
    screen: &mut Screen,
) -> Result<(), Failure> {
    for (name, fact) in facts {
        let name = screen.paint(Tone::Faint, &format!("{name}:"));
        screen.line(&format!("{name} {fact}"))?;
    }
    screen.line("")?;
    for line in row::lines(screen, &session.rows) {
        screen.line(&line)?;
    }
    screen.line("")?;
    let heads = verdict::HEADS.map(|head| (head, Align::Left));
    let verdicts = verdict::summary(session);
    let lines: Vec<Vec<Cell>> =
        verdicts.iter().map(|verdict| verdict.cells().map(Cell::plain).to_vec()).collect();
    for line in table::lines(screen, &heads, &lines) {
        screen.line(&line)?;
    }
    screen.line(&format!("\n{}", peers::ABOUT_STAND_IN))?;
    for (name, guarantee) in peers::DESCRIBED {
        screen.line(&format!("\n{name}: {guarantee}"))?;
    }
    if session.rows.iter().any(|row| row.limit == limits::RAW) {
        screen.line(&format!("\nThe raw loop, {}:\n", limits::RAW))?;
        screen.line(limits::RAW_SOURCE)?;
    }
    Ok(())
}
