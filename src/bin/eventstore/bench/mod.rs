//! `eventstore bench`: how close the store is to what the machine allows.
//!
//! What is measured goes through the exported C functions (`exported`), in turn with its limit and
//! its peers (`pairs`). One file a measurement; each pushes rows (`row`). Rows that lose stay in.
//! It must not be asked for a verdict: numbers of a busy machine are marked, not withheld.

mod ack;
mod append;
mod arguments;
mod backends;
mod exported;
mod fill;
mod folder;
mod footprint;
mod frames;
mod goals;
mod idle;
mod latency;
mod limits;
mod machine;
mod open;
mod pairs;
mod peers;
mod plot;
mod pool;
mod raw_loop;
mod read;
mod report;
mod row;
mod session;
mod submit;
mod write;

use std::env;

pub(crate) use arguments::{Bench, Fill};
pub(crate) use fill::run as fill;

use self::arguments::Subject;
use self::fill::Filled;
use self::folder::WorkFolder;
use self::machine::Machine;
use self::pool::Shapes;
use self::session::Session;
use crate::failure::{Exit, Failure, Outcome};
use crate::screen::{Screen, Tone};

pub(crate) fn run(arguments: &Bench, screen: &mut Screen) -> Outcome {
    let shapes = Shapes::new(arguments.payload, &arguments.mix)?;
    let within = arguments.dir.clone().unwrap_or_else(env::temp_dir);
    let folder = WorkFolder::new(&within)?;
    let machine = Machine::look(folder.path());
    let mut session = Session::new(arguments, &shapes, folder);
    measure(&mut session, screen)?;
    let facts = machine.lines();
    if !arguments.json {
        print(&session, &facts, screen)?;
    }
    if let Some(folder) = &arguments.report {
        let command: Vec<String> = env::args().skip(1).collect();
        let command = format!("eventstore {}", command.join(" "));
        report::write(folder, &command, &facts, &session.rows)?;
    }
    Ok(Exit::Done)
}

type Measurement = fn(&mut Session<'_>) -> Result<(), Failure>;

fn measure(session: &mut Session<'_>, screen: &mut Screen) -> Result<(), Failure> {
    let subject = session.arguments.subject;
    let writing: [(Subject, &[Measurement]); 3] = [
        (Subject::Append, &[append::append, ack::measure]),
        (Subject::Stream, &[append::stream, footprint::measure]),
        (Subject::Submit, &[submit::measure, idle::measure]),
    ];
    for (named, measurements) in writing {
        for measurement in measurements.iter().filter(|_| subject.includes(named)) {
            measurement(session)?;
            session.clear()?;
            session.print(screen)?;
        }
    }
    let reads = [Subject::Scan, Subject::Get, Subject::Lookup, Subject::Open, Subject::Verify];
    if !reads.into_iter().any(|read| subject.includes(read)) {
        return Ok(());
    }
    for backend in session.arguments.backends() {
        let run = Filled::new(session, backend, session.arguments.entries)?;
        if subject.includes(Subject::Scan) {
            read::scan(session, backend, &run)?;
        }
        if subject.includes(Subject::Get) {
            read::get(session, backend, &run)?;
        }
        if subject.includes(Subject::Lookup) {
            read::lookup(session, backend, &run)?;
        }
        // What lives in memory is neither opened nor verified.
        if backend.keeps_files && subject.includes(Subject::Open) {
            open::open(session, backend, &run)?;
        }
        if backend.keeps_files && subject.includes(Subject::Verify) {
            open::verify(session, backend, &run)?;
        }
        drop(run);
        session.clear()?;
        session.print(screen)?;
    }
    Ok(())
}

/// The table, and what it was measured on.
fn print(
    session: &Session<'_>,
    facts: &[(&'static str, String)],
    screen: &mut Screen,
) -> Result<(), Failure> {
    for (name, fact) in facts {
        let name = screen.paint(Tone::Faint, &format!("{name}:"));
        screen.line(&format!("{name} {fact}"))?;
    }
    let payload = session.shapes.payload_bytes();
    screen.line(&format!("{} {payload} bytes", screen.paint(Tone::Faint, "payload:")))?;
    screen.line("")?;
    for line in row::lines(screen, &session.rows) {
        screen.line(&line)?;
    }
    for (name, guarantee) in peers::DESCRIBED {
        screen.line(&format!("\n{name}: {guarantee}"))?;
    }
    if session.arguments.show_limit {
        screen.line("\nThe raw loop:\n")?;
        screen.line(limits::RAW_SOURCE)?;
    }
    Ok(())
}
