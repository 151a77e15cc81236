//! The causal headers of an entry, and the UUIDs they are made of.

use std::fmt;

/// Sixteen raw bytes, printed as lower-case hyphenated text.
///
/// Any value is kept unchanged. Other readers of the file format accept only RFC 4122 version 4;
/// a run that holds others is not portable to them ([`Uuid::is_v4`] tells).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

/// Length of the hyphenated text, in bytes.
pub const UUID_TEXT_BYTES: usize = 36;
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl Uuid {
    /// Whether version and variant bits say RFC 4122 version 4.
    pub fn is_v4(&self) -> bool {
        self.0[6] >> 4 == 4 && self.0[8] >> 6 == 0b10
    }

    /// The hyphenated text, in lower case.
    pub fn to_text(&self) -> [u8; UUID_TEXT_BYTES] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; UUID_TEXT_BYTES];
        let mut at = 0;
        for byte in self.0 {
            if HYPHENS.contains(&at) {
                at += 1;
            }
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        text
    }

    /// Reads the one text form that [`Uuid::to_text`] writes; anything else is `None`.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        if text.len() != UUID_TEXT_BYTES {
            return None;
        }
        let mut bytes = [0; 16];
        let mut at = 0;
        for byte in &mut bytes {
            if HYPHENS.contains(&at) {
                if text[at] != b'-' {
                    return None;
                }
                at += 1;
            }
            *byte = nibble(text[at])? << 4 | nibble(text[at + 1])?;
            at += 2;
        }
        Some(Self(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.to_text() {
            write!(f, "{}", char::from(byte))?;
        }
        Ok(())
    }
}

/// Which message an entry belongs to and which one made it happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Headers {
    /// The workflow this entry is part of.
    pub correlation_id: Option<Uuid>,
    /// The message that directly caused this one.
    pub causation_id: Option<Uuid>,
}
