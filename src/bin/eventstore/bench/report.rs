//! The document of one run of `bench`: verdicts, rows, machine, command, plots.
//!
//! Written whole by the command, never by hand: the Markdown, and beside it a folder of its name in
//! small letters with the rows as JSON and an SVG a plot.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::limits::RAW_SOURCE;
use super::peers;
use super::plot;
use super::row::{self, HEADS};
use super::session::Session;
use super::verdict::{self, Standing};
use crate::failure::Failure;
use crate::table::Align;

/// What the reader must know to read the verdicts.
const GOALS: &str = "\
Goals were set before anything was measured; where no backend is named they are the log's. A goal is \
met by the median, whatever the interval; one that is missed says by how much and to what, one that \
could not be measured says why.";
/// What the reader must know to read the rows.
const READING: &str = "\
Each value stands beside what the machine allows for the same bytes (`limit`), taken in turn with \
it in the same run, in a random order a round. `ratio` is the median over pairs of value to limit, in \
brackets the interval that holds the true median in 19 of 20 runs; a peer has its value, and ours to \
it in the same way. Of entries a second more is better, of the rest less. `limit against itself` is the \
raw loop measured twice: what lies within its interval is noise. `submit` latencies count from when a \
fixed schedule said it was due, to when the call returned; the writer waits as it does by default \
(`timed`) where no policy is named, and no thread has a processor of its own but in `pinned`. `submit idle` is processor time of the process while nobody submits and the writer is hot. \
Reads are hot: of the page cache. A flush is fdatasync having returned; what the host does with it is \
not seen from here. That a submit makes no allocation is counted by a test of the project, \
tests/hot_path.rs, and not here. Rows that lose stay in.";

const NO_PEERS: &str = "This build has no peers: build it with `--features peers` to have them \
measured in the same turns.";

/// Writes the document and what it shows.
pub(crate) fn write(
    path: &Path,
    command: &str,
    machine: &[(&'static str, String)],
    session: &Session<'_>,
) -> Result<(), Failure> {
    let put = |path: &Path, text: &str| {
        fs::write(path, text)
            .map_err(|error| Failure::from_io(path.display(), "writing the report", &error))
    };
    let stem = path.file_stem().expect("clap lets only a name with .md through");
    let beside = stem.to_string_lossy().to_lowercase();
    let folder = path.with_file_name(&beside);
    fs::create_dir_all(&folder)
        .map_err(|error| Failure::from_io(folder.display(), "making the folder", &error))?;
    let mut jsonl = String::new();
    for row in &session.rows {
        jsonl.push_str(&serde_json::to_string(row)?);
        jsonl.push('\n');
    }
    put(&folder.join("rows.jsonl"), &jsonl)?;
    let mut plots = Vec::new();
    let drawn = [
        ("Throughput against batch size", "append.svg", plot::throughput(&session.rows)),
        ("Submit latency by percentile", "submit.svg", plot::submits(&session.rows)),
    ];
    for (title, name, svg) in drawn {
        if let Some(svg) = svg {
            put(&folder.join(name), &svg)?;
            plots.push((title, format!("{beside}/{name}")));
        }
    }
    put(path, &document(command, machine, session, &plots, &beside))
}

fn document(
    command: &str,
    machine: &[(&'static str, String)],
    session: &Session<'_>,
    plots: &[(&str, String)],
    beside: &str,
) -> String {
    let mut text = format!("# Benchmarks\n\nWritten by `{command}`; not by hand.\n\n");
    text.push_str("## The goals\n\n");
    text.push_str(&goals(session));
    for (title, name) in plots {
        let _ = write!(text, "\n![{title}]({name})\n");
    }
    text.push_str("\n## The machine\n\n");
    for (name, fact) in machine {
        let _ = writeln!(text, "- {name}: {fact}");
    }
    let _ = write!(text, "\n## The rows\n\n{READING}\n\n");
    text.push_str(&rows(session));
    text.push_str("\n## The peers\n\n");
    for (name, guarantee) in peers::DESCRIBED {
        let _ = writeln!(text, "- {name}: {guarantee}");
    }
    text.push_str(if peers::DESCRIBED.is_empty() { NO_PEERS } else { peers::ABOUT });
    text.push_str("\n\n## The raw loop\n\nWhat appends are held against, whole:\n\n");
    for line in RAW_SOURCE.lines() {
        // Indented: Markdown's block without a language, which nobody takes for one to run.
        let line = format!("    {line}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text, "\nThe rows as JSON: [{beside}/rows.jsonl]({beside}/rows.jsonl).");
    text
}

fn goals(session: &Session<'_>) -> String {
    let verdicts = verdict::summary(session);
    let count = |is_so: fn(&Standing) -> bool| {
        verdicts.iter().filter(|verdict| is_so(&verdict.standing)).count()
    };
    let mut text = format!(
        "{GOALS} {} met, {} missed, {} not measured. {}\n\n",
        count(|standing| *standing == Standing::Met),
        count(|standing| matches!(standing, Standing::Missed(_))),
        count(|standing| matches!(standing, Standing::NotMeasured(_))),
        peers::ABOUT_STAND_IN,
    );
    text.push_str(&line(&verdict::HEADS.map(str::to_owned)));
    text.push_str(&line(&verdict::HEADS.map(|_| "---".to_owned())));
    for verdict in &verdicts {
        text.push_str(&line(&verdict.cells()));
    }
    text
}

fn rows(session: &Session<'_>) -> String {
    let mut text = line(&HEADS.map(|(head, _)| head.to_owned()));
    text.push_str(&line(&HEADS.map(|(_, align)| match align {
        Align::Left => "---".to_owned(),
        Align::Right => "---:".to_owned(),
    })));
    for row in &session.rows {
        text.push_str(&line(&row::cells(row)));
    }
    text
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
