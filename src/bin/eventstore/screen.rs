//! Standard output as a person or a program gets it: colours, width, JSON lines.
//!
//! What comes out of a run file is not trusted: control characters are shown, never sent, since a
//! terminal would obey them.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use serde::Serialize;

/// Buffered standard output.
pub(crate) struct Screen {
    out: BufWriter<StdoutLock<'static>>,
    is_coloured: bool,
    columns: Option<usize>,
}

/// What a piece of text is, for a reader's eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Headings.
    Heading,
    /// What is there for completeness.
    Faint,
    /// As it should be.
    Good,
    /// Worth a look.
    Notice,
    /// At fault.
    Bad,
    /// Everything else.
    Plain,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Heading => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Notice => "33",
            Self::Bad => "31",
            Self::Plain => "0",
        }
    }
}

impl Screen {
    /// Standard output, with colours if it is a terminal that has them and nobody objects.
    pub(crate) fn stdout() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let columns =
            terminal_size::terminal_size().filter(|_| is_terminal).map(|(w, _)| usize::from(w.0));
        Self {
            out: BufWriter::with_capacity(64 << 10, stdout.lock()),
            is_coloured: is_terminal && !is_dumb && !is_refused,
            columns,
        }
    }

    /// The terminal's width; `None` when the output goes elsewhere.
    pub(crate) fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// The text in its tone.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.is_coloured || tone == Tone::Plain || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{}m{text}\x1b[0m", tone.code())
    }

    /// One line.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// One JSON object, on a line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }

    /// Hands over what is buffered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The character, or its escape if a terminal would act on it.
pub(crate) fn visible(character: char) -> impl Iterator<Item = char> {
    // Bidirectional marks reorder what stands around them on the line.
    let acts = character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let escaped = acts.then(|| character.escape_default());
    let plain = (!acts).then_some(character);
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// The text with control characters escaped.
pub(crate) fn shown(text: &str) -> String {
    text.chars().flat_map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal would act on is shown as an escape, all else as it is.
    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(shown("a\x1b[31mü\n\u{202e}\u{9b}"), "a\\u{1b}[31mü\\n\\u{202e}\\u{9b}");
    }
}
