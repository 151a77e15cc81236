//! Aligned columns.
//!
//! Widths are those of the terminal's cells, so that names in any script line up. Rows are given
//! as text; colour is added after the padding, which it must not count in.

use unicode_width::UnicodeWidthStr;

use crate::screen::{Screen, Tone};

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// One cell.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell in its tone; the text must be fit for a terminal.
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }

    /// A plain cell.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(Tone::Plain, text)
    }

    /// Shortens the text to so many cells.
    pub(crate) fn cut(&mut self, cells: usize) {
        self.text = cut(&self.text, cells);
    }
}

/// Columns whose widths grow with what has been seen.
pub(crate) struct Columns {
    heads: Vec<(&'static str, Align)>,
    widths: Vec<usize>,
}

const GAP: &str = "  ";

impl Columns {
    /// Columns at least as wide as their headings.
    pub(crate) fn new(heads: &[(&'static str, Align)]) -> Self {
        Self { heads: heads.to_vec(), widths: heads.iter().map(|(head, _)| head.width()).collect() }
    }

    /// Makes room for these rows.
    pub(crate) fn fit(&mut self, rows: &[Vec<Cell>]) {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
    }

    /// The cells that all columns but the last take.
    pub(crate) fn width_before_last(&self) -> usize {
        let before = self.widths.len() - 1;
        self.widths[..before].iter().sum::<usize>() + before * GAP.len()
    }

    /// The line of headings.
    pub(crate) fn heading(&self, screen: &Screen) -> String {
        let row: Vec<Cell> =
            self.heads.iter().map(|(head, _)| Cell::new(Tone::Heading, *head)).collect();
        self.row(screen, &row)
    }

    /// One line.
    pub(crate) fn row(&self, screen: &Screen, row: &[Cell]) -> String {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let padding = " ".repeat(self.widths[at].saturating_sub(cell.text.width()));
            let painted = screen.paint(cell.tone, &cell.text);
            let is_last = at + 1 == row.len();
            match self.heads[at].1 {
                Align::Right => line.push_str(&format!("{padding}{painted}")),
                Align::Left if is_last => line.push_str(&painted),
                Align::Left => line.push_str(&format!("{painted}{padding}")),
            }
            if !is_last {
                line.push_str(GAP);
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// A whole table, heading first.
pub(crate) fn lines(
    screen: &Screen,
    heads: &[(&'static str, Align)],
    rows: &[Vec<Cell>],
) -> Vec<String> {
    let mut columns = Columns::new(heads);
    columns.fit(rows);
    let body = rows.iter().map(|row| columns.row(screen, row));
    std::iter::once(columns.heading(screen)).chain(body).collect()
}

/// The text cut to so many cells, its end marked where something is missing.
pub(crate) fn cut(text: &str, cells: usize) -> String {
    if text.width() <= cells {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        let with = unicode_width::UnicodeWidthChar::width(character).unwrap_or(0);
        if kept.width() + with + 1 > cells {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

/// `1.5 MiB`.
pub(crate) fn readable_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wide characters count twice, and the cut text never exceeds its cells.
    #[test]
    fn cut_counts_cells() {
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 2), "a…");
    }

    /// Numbers as people write them.
    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 1023, 1024, 1536, 1 << 20, u64::MAX].map(readable_bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "16384.0 PiB"]
        );
    }
}
