//! `es_error`: what the caller learns beside the status, and the one place that numbers errors.
//!
//! A `Refusal` is why a call fails, before it has a C shape: a mistake that only the boundary can
//! see, or an error of the store. It is written whole, and only on failure. Retryable answers of
//! the hot path carry numbers only, so that a full queue costs no formatting.

use std::borrow::Cow;
use std::ffi::c_char;
use std::fmt::{self, Write};
use std::path::Path;

use super::constants::ES_NONE;
use super::status::*;
use crate::error::{EventStoreError, Fault};

const MESSAGE_BYTES: usize = 184;

/// What went wrong, for programs (numbers) and for people (message). The caller's memory, 256
/// bytes in every version 0.x and 1.x; what it holds before a call is ignored. A failing call
/// writes all of it; a successful one does not touch it. A number that does not apply is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_error {
    /// The status that the call returned.
    pub code: es_status,
    /// The operating system's number, or 0.
    pub os_errno: i32,
    /// Which item of a batch or list, from 0; ES_NONE when no item is meant.
    pub item_index: u64,
    /// OUT_OF_ORDER: the seq asked for. HASH_MISMATCH, SEQ_MISMATCH: the damaged row. GAP: the
    /// first missing. es_append_batch that fails after its claim: the first claimed.
    pub seq: u64,
    /// OUT_OF_ORDER: the seq it would have got. SEQ_MISMATCH: the seq inside the row. GAP: the
    /// next present.
    pub next_seq: u64,
    /// GAP: the last present before the hole, or 0.
    pub prev_seq: u64,
    /// OUT_OF_ORDER: the largest durable seq.
    pub high_watermark: u64,
    /// es_append_batch that fails after its claim: how many were claimed. Whether they are in the
    /// run is known after it is reopened: its high-watermark says.
    pub count: u64,
    /// BUFFER_TOO_SMALL: the capacity that suffices, in bytes.
    pub required: u64,
    /// UNSUPPORTED_FORMAT: the store format of the file; 0: it is the database below that is of
    /// another format, message says of which.
    pub format_found: u32,
    /// Zero.
    pub reserved: u32,
    /// One line of UTF-8, NUL-terminated, cut at a character: what, where, found against
    /// expected, and what to do. Empty for QUEUE_FULL and TIMEOUT. Never parse it.
    pub message: [c_char; 184],
}

/// Why a call fails.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A mistake that only the boundary can see.
    Call { status: es_status, item: Option<usize>, field: &'static str, reason: Cow<'static, str> },
    /// The caller's buffer is smaller than `required` bytes.
    TooSmall { field: &'static str, required: usize },
    /// An error of the store.
    Store(EventStoreError),
    /// An append that failed, with what it had claimed: the first seq and the count.
    Append(EventStoreError, Option<(u64, u64)>),
    /// A panic was caught; its text.
    Panic(String),
}

impl Refusal {
    /// A mistake about one parameter or field.
    pub(super) fn call(
        status: es_status,
        field: &'static str,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Call { status, item: None, field, reason: reason.into() }
    }

    /// A parameter or field that must not be NULL.
    pub(super) fn null(field: &'static str) -> Self {
        Self::call(ES_ERR_NULL_POINTER, field, "must not be NULL")
    }

    /// A parameter or field outside its bounds.
    pub(super) fn invalid(field: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::call(ES_ERR_INVALID_ARGUMENT, field, reason)
    }

    /// The same refusal, naming the item that it concerns.
    #[must_use]
    pub(super) fn at_item(self, index: usize) -> Self {
        match self {
            Self::Call { status, field, reason, .. } => {
                Self::Call { status, item: Some(index), field, reason }
            }
            Self::Store(error) => Self::Store(error.at_item(index)),
            other => other,
        }
    }

    pub(super) fn status(&self) -> es_status {
        match self {
            Self::Call { status, .. } => *status,
            Self::TooSmall { .. } => ES_ERR_BUFFER_TOO_SMALL,
            Self::Store(error) | Self::Append(error, _) => status_of(error),
            Self::Panic(_) => ES_ERR_PANIC,
        }
    }

    /// The refusal in its C shape.
    pub(super) fn to_error(&self) -> es_error {
        let mut filled = es_error::empty(self.status());
        let mut message = Line::default();
        match self {
            Self::Call { item, field, reason, .. } => {
                if let Some(item) = item {
                    filled.item_index = *item as u64;
                    message.put(format_args!("item {item}: "));
                }
                message.put(format_args!("{field}: {reason}"));
            }
            Self::TooSmall { field, required } => {
                filled.required = *required as u64;
                message.put(format_args!("{field}: too small, {required} bytes are required"));
            }
            Self::Store(error) => filled.describe(error, &mut message),
            Self::Append(error, claimed) => {
                filled.describe(error, &mut message);
                if let Some((first_seq, count)) = *claimed {
                    filled.seq = first_seq;
                    filled.count = count;
                }
            }
            Self::Panic(text) => message.put(format_args!("internal check failed: {text}")),
        }
        message.write_to(&mut filled.message);
        filled
    }
}

impl From<EventStoreError> for Refusal {
    fn from(error: EventStoreError) -> Self {
        Self::Store(error)
    }
}

impl es_error {
    fn empty(code: es_status) -> Self {
        Self {
            code,
            os_errno: 0,
            item_index: ES_NONE,
            seq: 0,
            next_seq: 0,
            prev_seq: 0,
            high_watermark: 0,
            count: 0,
            required: 0,
            format_found: 0,
            reserved: 0,
            message: [0; MESSAGE_BYTES],
        }
    }

    fn describe(&mut self, error: &EventStoreError, message: &mut Line) {
        self.os_errno = errno_of(error);
        match error {
            EventStoreError::QueueFull | EventStoreError::Timeout => return,
            EventStoreError::HashMismatch { seq } => self.seq = *seq,
            EventStoreError::SeqMismatch { table_key, embedded_seq } => {
                self.seq = *table_key;
                self.next_seq = *embedded_seq;
            }
            EventStoreError::OutOfOrder { high_watermark, seq, next_seq } => {
                self.seq = *seq;
                self.next_seq = *next_seq;
                self.high_watermark = *high_watermark;
            }
            EventStoreError::Gap { prev, next, missing } => {
                self.seq = *missing;
                self.prev_seq = *prev;
                self.next_seq = *next;
            }
            EventStoreError::UnsupportedFormat { found, .. } => self.format_found = *found,
            EventStoreError::InvalidArgument { item: Some(item), .. } => {
                self.item_index = *item as u64;
            }
            _ => {}
        }
        match direct_fault(error) {
            Some(Fault { message: text, path: Some(path), .. }) => message.put_at(path, text),
            _ => message.put(format_args!("{error}")),
        }
    }
}

/// The number of an error; a new variant does not compile until it has one.
pub(super) fn status_of(error: &EventStoreError) -> es_status {
    match error {
        EventStoreError::Backend(_) => ES_ERR_BACKEND,
        EventStoreError::Corrupted(_) => ES_ERR_CORRUPTED,
        EventStoreError::Disk(_) => ES_ERR_DISK,
        EventStoreError::HashMismatch { .. } => ES_ERR_HASH_MISMATCH,
        EventStoreError::SeqMismatch { .. } => ES_ERR_SEQ_MISMATCH,
        EventStoreError::OutOfOrder { .. } => ES_ERR_OUT_OF_ORDER,
        EventStoreError::Closed => ES_ERR_CLOSED,
        EventStoreError::Gap { .. } => ES_ERR_GAP,
        EventStoreError::CrashedPredecessor(_) => ES_ERR_CRASHED_PREDECESSOR,
        EventStoreError::Locked(_) => ES_ERR_LOCKED,
        EventStoreError::AlreadyExists(_) => ES_ERR_ALREADY_EXISTS,
        EventStoreError::NotFound(_) => ES_ERR_NOT_FOUND,
        EventStoreError::NotSealed(_) => ES_ERR_NOT_SEALED,
        EventStoreError::UnsupportedFormat { .. } | EventStoreError::UnsupportedDatabase { .. } => {
            ES_ERR_UNSUPPORTED_FORMAT
        }
        EventStoreError::InvalidArgument { .. } => ES_ERR_INVALID_ARGUMENT,
        EventStoreError::Halted { .. } => ES_ERR_HALTED,
        EventStoreError::QueueFull => ES_ERR_QUEUE_FULL,
        EventStoreError::Timeout => ES_ERR_TIMEOUT,
        EventStoreError::OutOfMemory => ES_ERR_OUT_OF_MEMORY,
        EventStoreError::Busy { .. } => ES_ERR_BUSY,
        EventStoreError::Unsupported { .. } => ES_ERR_UNSUPPORTED,
    }
}

/// The operating system's number of an error, or 0.
pub(super) fn errno_of(error: &EventStoreError) -> i32 {
    error.fault().and_then(|fault| fault.errno).unwrap_or(0)
}

/// The fault whose text is the whole text of the error.
fn direct_fault(error: &EventStoreError) -> Option<&Fault> {
    match error {
        EventStoreError::Halted { .. } => None,
        other => other.fault(),
    }
}

/// One line that fits `es_error.message`; what does not fit is cut at a character.
struct Line {
    bytes: [u8; MESSAGE_BYTES],
    used: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self { bytes: [0; MESSAGE_BYTES], used: 0 }
    }
}

impl Line {
    const ROOM: usize = MESSAGE_BYTES - 1;

    fn put(&mut self, text: fmt::Arguments<'_>) {
        // It only fails when the line is full, which cuts it.
        let _ = self.write_fmt(text);
    }

    /// A path and what is wrong with it; a long path loses its head, never the reason.
    fn put_at(&mut self, path: &Path, text: &str) {
        let path = path.to_string_lossy();
        let room = Self::ROOM.saturating_sub(text.len() + 2).max(24);
        if path.len() <= room {
            return self.put(format_args!("{path}: {text}"));
        }
        let mut start = path.len() - (room - 3);
        while !path.is_char_boundary(start) {
            start += 1;
        }
        self.put(format_args!("...{}: {text}", &path[start..]));
    }

    fn write_to(&self, message: &mut [c_char; MESSAGE_BYTES]) {
        for (target, byte) in message.iter_mut().zip(&self.bytes[..self.used]) {
            *target = *byte as c_char;
        }
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let character = if character.is_control() { ' ' } else { character };
            let end = self.used + character.len_utf8();
            if end > Self::ROOM {
                return Err(fmt::Error);
            }
            character.encode_utf8(&mut self.bytes[self.used..end]);
            self.used = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn message(refusal: &Refusal) -> String {
        let filled = refusal.to_error();
        let bytes: Vec<u8> = filled.message.iter().map(|byte| *byte as u8).collect();
        CStr::from_bytes_until_nul(&bytes).expect("NUL-terminated").to_str().unwrap().to_owned()
    }

    /// A long path is shortened at its head, so that the reason is always readable.
    #[test]
    fn long_path_leaves_the_reason_whole() {
        let path = format!("/{}/run.redb", "d".repeat(400));
        let error = EventStoreError::corrupted(Path::new(&path), "page 7 fails its checksum");
        let text = message(&Refusal::Store(error));
        assert!(text.ends_with("/run.redb: page 7 fails its checksum"), "{text}");
        assert!(text.starts_with("..."), "{text}");
        assert_eq!(text.len(), MESSAGE_BYTES - 1);
    }

    /// A message is cut between characters and has no line breaks.
    #[test]
    fn message_is_one_line_cut_at_a_character() {
        let text = message(&Refusal::invalid("topic", format!("a\nb{}", "é".repeat(200))));
        assert!(text.starts_with("topic: a bé"), "{text}");
        assert!(text.len() < MESSAGE_BYTES && text.len() >= MESSAGE_BYTES - 2);
    }

    /// redb's own format number is no store format: it stands in the text alone.
    #[test]
    fn format_of_the_database_is_no_store_format() {
        let path = Path::new("/runs/run.redb").to_path_buf();
        let refusal = Refusal::Store(EventStoreError::UnsupportedDatabase { found: 2, path });
        let filled = refusal.to_error();
        assert_eq!((filled.code, filled.format_found), (ES_ERR_UNSUPPORTED_FORMAT, 0));
        let text = message(&refusal);
        assert!(text.starts_with("/runs/run.redb: redb file format 2 "), "{text}");
    }

    /// A full queue is answered with numbers alone.
    #[test]
    fn queue_full_has_no_text() {
        let filled = Refusal::Store(EventStoreError::QueueFull).to_error();
        assert_eq!((filled.code, filled.item_index), (ES_ERR_QUEUE_FULL, ES_NONE));
        assert!(filled.message.iter().all(|byte| *byte == 0));
    }
}
