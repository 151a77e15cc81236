//! Which measurement belongs to which subject and to which goals, in the order they are made.

use super::arguments::Subject;
use super::backends::Backend;
use super::fill::Filled;
use super::pool::Shapes;
use super::session::Session;
use super::{ack, append, counted, footprint, idle, memory, open, policy, read, submit, verify};
use crate::failure::Failure;
use crate::screen::Screen;

/// A measurement over all backends.
struct Writing {
    subject: Subject,
    goals: &'static [&'static str],
    measure: fn(&mut Session<'_>) -> Result<(), Failure>,
    /// Whether captures are measured too.
    of_captures: bool,
}

/// A measurement over one run that is there to be read.
struct Reading {
    subject: Subject,
    goals: &'static [&'static str],
    measure: fn(&mut Session<'_>, &'static Backend, &Filled) -> Result<(), Failure>,
    of_captures: bool,
    /// Whether what lives in memory takes part.
    of_memory: bool,
}

#[rustfmt::skip]
const WRITING: [Writing; 9] = [
    Writing { subject: Subject::Append, goals: &["P1", "P2"], measure: append::append, of_captures: true },
    Writing { subject: Subject::Append, goals: &["P4"], measure: ack::measure, of_captures: false },
    Writing { subject: Subject::Append, goals: &["P12"], measure: counted::flushes, of_captures: false },
    Writing { subject: Subject::Stream, goals: &["P1"], measure: append::stream, of_captures: true },
    Writing { subject: Subject::Stream, goals: &["P10"], measure: footprint::measure, of_captures: true },
    Writing { subject: Subject::Submit, goals: &["P3"], measure: submit::measure, of_captures: true },
    Writing { subject: Subject::Submit, goals: &["P3"], measure: policy::measure, of_captures: false },
    Writing { subject: Subject::Submit, goals: &["P3"], measure: idle::measure, of_captures: false },
    Writing { subject: Subject::Submit, goals: &["P3"], measure: counted::submit_calls, of_captures: false },
];

#[rustfmt::skip]
const READING: [Reading; 4] = [
    Reading { subject: Subject::Scan, goals: &["P5"], measure: read::scan, of_captures: true, of_memory: true },
    Reading { subject: Subject::Get, goals: &["P6"], measure: read::get, of_captures: false, of_memory: true },
    Reading { subject: Subject::Lookup, goals: &["P6"], measure: read::lookup, of_captures: false, of_memory: true },
    // What lives in memory is not verified.
    Reading { subject: Subject::Verify, goals: &["P9"], measure: verify::measure, of_captures: false, of_memory: false },
];

/// Measures all that was asked for: synthetic entries, then those of captures.
pub(crate) fn measure<'a>(
    session: &mut Session<'a>,
    captures: Option<&'a Shapes>,
    screen: &mut Screen,
) -> Result<(), Failure> {
    write_and_read(session, screen)?;
    if is_asked(session, Subject::Open, &["P7", "P8"]) {
        open::measure(session)?;
        finish(session, screen)?;
    }
    if is_asked(session, Subject::Open, &["P11"]) {
        memory::measure(session)?;
        finish(session, screen)?;
    }
    if let Some(captures) = captures {
        session.shapes = captures;
        write_and_read(session, screen)?;
    }
    Ok(())
}

fn is_asked(session: &Session<'_>, subject: Subject, goals: &[&str]) -> bool {
    session.arguments.subject.includes(subject) && session.arguments.asks_for(goals)
}

fn write_and_read(session: &mut Session<'_>, screen: &mut Screen) -> Result<(), Failure> {
    let are_captures = session.shapes.are_captures();
    for writing in WRITING.iter().filter(|writing| writing.of_captures || !are_captures) {
        if is_asked(session, writing.subject, writing.goals) {
            (writing.measure)(session)?;
            finish(session, screen)?;
        }
    }
    for backend in session.backends() {
        let asked = READING.iter().filter(|reading| {
            is_asked(session, reading.subject, reading.goals)
                && (reading.of_captures || !are_captures)
                && (reading.of_memory || backend.keeps_files)
        });
        let asked: Vec<&Reading> = asked.collect();
        if asked.is_empty() {
            continue;
        }
        let run = Filled::new(session, backend, session.arguments.entries)?;
        for reading in asked {
            (reading.measure)(session, backend, &run)?;
        }
        drop(run);
        finish(session, screen)?;
    }
    Ok(())
}

fn finish(session: &mut Session<'_>, screen: &mut Screen) -> Result<(), Failure> {
    session.clear()?;
    session.print(screen)
}
