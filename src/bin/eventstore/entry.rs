//! One entry on the screen, in full: what `get` and `lookup` print.

use std::path::Path;

use eventstore::entry::Entry;
use eventstore::index::IndexKey;
use eventstore::reader::Reader;
use eventstore::store::{self, ReaderOptions};

use crate::failure::{Exit, Failure, Outcome};
use crate::json;
use crate::screen::{Screen, Tone, shown};
use crate::{hex, time};

/// Opens a sealed run for reading.
pub(crate) fn open(path: &Path) -> Result<Reader, Failure> {
    store::open_sealed_run(path, &ReaderOptions::default())
        .map_err(|error| Failure::about(path, &error))
}

/// Prints the entry at `seq`; its absence is the data's fault.
pub(crate) fn print(
    path: &Path,
    reader: &Reader,
    seq: u64,
    is_json: bool,
    screen: &mut Screen,
) -> Outcome {
    let about = |error| Failure::about(path, &error);
    let view = reader.view();
    let Some(entry) = view.scan_seq(seq).map_err(about)? else {
        let last = view.high_watermark();
        let path = path.display();
        return Err(Failure::Data(match last {
            0 => format!("{path}: no entry {seq}, the run is empty"),
            _ => format!("{path}: no entry {seq}, the run holds 1 to {last}"),
        }));
    };
    let keys = view.recorded_keys(seq).map_err(about)?;
    if is_json {
        screen.json(&json::Entry::of_entry(&entry.view(), keys.as_deref()))?;
    } else {
        for line in lines(screen, &entry, keys.as_deref()) {
            screen.line(&line)?;
        }
    }
    Ok(Exit::Done)
}

fn lines(screen: &Screen, entry: &Entry, keys: Option<&[IndexKey]>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut field = |name: &str, text: &str| {
        lines.push(format!("{}  {text}", screen.paint(Tone::Heading, &format!("{name:<14}"))));
    };
    field("seq", &entry.seq.to_string());
    field("ts_init", &time::both(entry.ts_init));
    field("ts_publish", &time::both(entry.ts_publish));
    field("topic", &shown(&entry.topic));
    field("type", &shown(&entry.payload_type));
    for (name, id) in [
        ("correlation_id", entry.headers.correlation_id),
        ("causation_id", entry.headers.causation_id),
    ] {
        field(name, &id.map_or_else(|| screen.paint(Tone::Faint, "none"), |id| id.to_string()));
    }
    match keys {
        None => field("index keys", &screen.paint(Tone::Faint, "not recorded in this file")),
        Some([]) => field("index keys", &screen.paint(Tone::Faint, "none")),
        Some(keys) => {
            for key in keys {
                field("index key", &format!("{} {}", key.kind.name(), shown(&key.key)));
            }
        }
    }
    field("entry_hash", &hex::encode(&entry.entry_hash));
    field("payload", &format!("{} bytes", entry.payload.len()));
    lines.extend(payload_lines(screen, &entry.payload));
    lines
}

/// Text as it is, anything else as a hex dump.
fn payload_lines(screen: &Screen, payload: &[u8]) -> Vec<String> {
    if let Some(text) = as_text(payload) {
        return text.lines().map(|line| format!("  {}", shown(line))).collect();
    }
    let dump = |(row, bytes): (usize, &[u8])| {
        let offset = screen.paint(Tone::Faint, &format!("{:08x}", row * 16));
        let digits: Vec<String> = bytes.chunks(2).map(hex::encode).collect();
        let printable = |byte: &u8| {
            if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }
        };
        let text: String = bytes.iter().map(printable).collect();
        format!("  {offset}  {:<39}  {}", digits.join(" "), screen.paint(Tone::Faint, &text))
    };
    payload.chunks(16).enumerate().map(dump).collect()
}

/// The payload as text, if that is what it seems to be.
pub(crate) fn as_text(payload: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(payload).ok()?;
    let is_text = |character: char| !character.is_control() || "\n\r\t".contains(character);
    text.chars().all(is_text).then_some(text)
}
