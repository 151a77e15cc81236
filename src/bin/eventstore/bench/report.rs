//! The document of one run of `bench`: the table, the machine, the command, the plots.
//!
//! Written whole by the command, never by hand: `benchmarks.md`, `benchmarks.jsonl` with the rows,
//! and an SVG a plot.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::limits::RAW_SOURCE;
use super::peers;
use super::plot;
use super::row::{self, HEADS, Row};
use crate::failure::Failure;
use crate::table::Align;

/// What the reader must know to read the table.
const READING: &str = "\
Each value stands beside what the machine allows for the same bytes (`limit`), taken in turn with \
it in the same run. `ratio` is the median over pairs of value to limit, in brackets the interval \
that holds the true median in 19 of 20 runs. Of entries a second more is better, of the rest less. \
`append, limit against itself` is the raw loop measured twice: what lies within its interval is \
noise. `submit` latencies count from when a fixed schedule said it was due, to when the call \
returned. `submit idle` is processor time of the process while nobody submits and the writer is hot.";

const NO_PEERS: &str = "This build has no peers: build it with `--features peers` to have them \
measured in the same turns.";

/// Writes the document and what it shows into the folder.
pub(crate) fn write(
    folder: &Path,
    command: &str,
    machine: &[(&'static str, String)],
    rows: &[Row],
) -> Result<(), Failure> {
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text)
            .map_err(|error| Failure::from_io(path.display(), "writing the report", &error))
    };
    fs::create_dir_all(folder)
        .map_err(|error| Failure::from_io(folder.display(), "making the folder", &error))?;
    let mut jsonl = String::new();
    for row in rows {
        jsonl.push_str(&serde_json::to_string(row)?);
        jsonl.push('\n');
    }
    put("benchmarks.jsonl", &jsonl)?;
    let mut plots = Vec::new();
    let drawn = [
        ("Throughput against batch size", "benchmarks-append.svg", plot::throughput(rows)),
        ("Submit latency by percentile", "benchmarks-submit.svg", plot::submits(rows)),
    ];
    for (title, name, svg) in drawn {
        if let Some(svg) = svg {
            put(name, &svg)?;
            plots.push((title, name));
        }
    }
    put("benchmarks.md", &document(command, machine, rows, &plots))
}

fn document(
    command: &str,
    machine: &[(&'static str, String)],
    rows: &[Row],
    plots: &[(&str, &str)],
) -> String {
    let mut text = format!("# Benchmarks\n\nWritten by `{command}`; not by hand.\n\n{READING}\n");
    for (title, name) in plots {
        let _ = write!(text, "\n![{title}]({name})\n");
    }
    text.push_str("\n## The machine\n\n");
    for (name, fact) in machine {
        let _ = writeln!(text, "- {name}: {fact}");
    }
    text.push_str("\n## The rows\n\n");
    let payloads: std::collections::BTreeSet<u64> = rows.iter().map(|row| row.payload).collect();
    let payloads: Vec<String> = payloads.iter().map(u64::to_string).collect();
    let _ = writeln!(text, "Payload: {} bytes an entry.\n", payloads.join(", "));
    text.push_str(&table(rows));
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
    text.push_str("\nThe rows as JSON: [benchmarks.jsonl](benchmarks.jsonl).\n");
    text
}

fn table(rows: &[Row]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&HEADS.map(|(head, _)| head.to_owned()));
    text.push_str(&line(&HEADS.map(|(_, align)| match align {
        Align::Left => "---".to_owned(),
        Align::Right => "---:".to_owned(),
    })));
    for row in rows {
        text.push_str(&line(&row::cells(row)));
    }
    text
}
