//! The `eventstore` command: what an operator has beside the library.
//!
//! One file a subcommand, over the library's public interface alone. Here the line is parsed, the
//! subcommand runs, and its end becomes an exit status and at most one line on standard error.

// They panic where nobody reads. `Screen` and `failure::complain` do not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod bench;
mod convert;
mod dump;
mod entry;
mod failure;
mod finding;
mod generate;
mod get;
mod hex;
mod ingest;
mod inspect;
mod json;
mod line;
mod lookup;
mod progress;
mod recover;
mod retention;
mod runs;
mod salvage;
mod screen;
mod shell;
mod source;
mod table;
mod tail;
mod time;
mod verify;

use std::panic;
use std::process::ExitCode;
use std::sync::Mutex;

use arguments::{Arguments, Command};
use clap::Parser;
use clap::error::ErrorKind;
use failure::{Failure, Outcome, concluded, one_line};
use screen::Screen;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error),
    };
    // The library turns a panic over a damaged file into an error, which is all that is to be said.
    panic::set_hook(Box::new(|panic| *LAST_PANIC.lock().unwrap() = panic.to_string()));
    let outcome = panic::catch_unwind(|| run(arguments.command)).unwrap_or_else(|_| {
        let text = LAST_PANIC.lock().unwrap();
        Err(Failure::CannotRun(format!("this is a bug, please report it: {text}")))
    });
    match outcome {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            if let Some(line) = failure.line() {
                failure::complain(&line);
            }
            ExitCode::from(failure.status())
        }
    }
}

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn run(command: Command) -> Outcome {
    let mut screen = Screen::stdout();
    let outcome = match command {
        Command::Ingest(arguments) => ingest::run(&arguments, &mut screen),
        Command::Dump(arguments) => dump::run(&arguments, &mut screen),
        Command::Tail(arguments) => tail::run(&arguments, &mut screen),
        Command::Get(arguments) => get::run(&arguments, &mut screen),
        Command::Lookup(arguments) => lookup::run(&arguments, &mut screen),
        Command::Runs(arguments) => runs::run(&arguments, &mut screen),
        Command::Verify(arguments) => verify::run(&arguments, &mut screen),
        Command::Recover(arguments) => recover::run(&arguments, &mut screen),
        Command::Salvage(arguments) => salvage::run(&arguments, &mut screen),
        Command::Convert(arguments) => convert::run(&arguments, &mut screen),
        Command::Retention(arguments) => retention::run(&arguments, &mut screen),
        Command::Bench(arguments) => bench::run(&arguments, &mut screen),
        Command::BenchFill(arguments) => bench::fill(&arguments, &mut screen),
        Command::Inspect(arguments) => {
            drop(screen);
            return inspect::run(&arguments);
        }
        Command::Generate(arguments) => generate::run(&arguments),
    };
    // What was printed before a failure counts, and comes before its line.
    let flushed = screen.flush();
    concluded(outcome, flushed.map_err(Failure::from))
}

/// Help and version as asked for; anything else in one line instead of a page.
fn refused(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody is left to be told when this fails.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "no command given".to_owned(),
        _ => error.to_string(),
    };
    let reason = text.strip_prefix("error: ").unwrap_or(&text);
    let reason = reason.split("\n\n").next().unwrap_or(reason);
    failure::complain(&format!("{}; see `eventstore --help`", one_line(reason)));
    ExitCode::from(2)
}
