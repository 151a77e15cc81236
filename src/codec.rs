//! Frames to bytes and back, as FORMAT.md lays them out; pure.
//!
//! A frame is `"NESC"`, version 1, and a positional little-endian body. Decoding refuses every
//! malformed input with an error that names the offset; it never panics and never allocates more
//! than the input is long, whatever its lengths and counts claim. Decoded entries borrow from
//! the frame. Where frames are kept: the backends.

use std::fmt;

use crate::entry::EntryView;
use crate::headers::{Headers, UUID_TEXT_BYTES, Uuid};
use crate::limits::FRAME_ITEMS_MAX;
use crate::manifest::{RegisteredComponents, RunManifest, RunStatus, TextMap};
use crate::snapshot::SnapshotAnchor;

const MAGIC: [u8; 4] = *b"NESC";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = MAGIC.len() + 1;

/// Why bytes are not a frame, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecError {
    /// Offset in the frame, in bytes.
    pub offset: usize,
    /// What stands there against what was expected.
    pub reason: String,
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed frame at byte {}: {}", self.offset, self.reason)
    }
}

impl std::error::Error for CodecError {}

/// The exact length of an entry's frame, in bytes.
pub fn entry_frame_bytes(entry: &EntryView<'_>) -> usize {
    let uuid = |id: Option<Uuid>| 1 + id.map_or(0, |_| 8 + UUID_TEXT_BYTES);
    HEADER_BYTES
        + 32
        + 8
        + uuid(entry.headers.correlation_id)
        + uuid(entry.headers.causation_id)
        + 8
        + entry.topic.len()
        + 8
        + entry.payload_type.len()
        + 8
        + entry.payload.len()
        + 16
}

/// Writes an entry's frame into `out`, which is [`entry_frame_bytes`] long.
///
/// # Panics
/// If `out` has another length, which is a mistake of the caller.
pub fn write_entry(entry: &EntryView<'_>, out: &mut [u8]) {
    let mut sink = Sink { out, at: 0 };
    sink.header();
    sink.put(&entry.entry_hash);
    sink.u64(entry.seq);
    sink.uuid(entry.headers.correlation_id);
    sink.uuid(entry.headers.causation_id);
    sink.bytes(entry.topic.as_bytes());
    sink.bytes(entry.payload_type.as_bytes());
    sink.bytes(entry.payload);
    sink.u64(entry.ts_init);
    sink.u64(entry.ts_publish);
    assert_eq!(sink.at, sink.out.len(), "the frame has the length announced");
}

/// An entry's frame.
pub fn encode_entry(entry: &EntryView<'_>) -> Vec<u8> {
    let mut frame = vec![0; entry_frame_bytes(entry)];
    write_entry(entry, &mut frame);
    frame
}

/// Reads an entry's frame; texts and payload borrow from it. The hash is not checked here.
///
/// # Errors
/// [`CodecError`] for anything but one whole frame.
pub fn decode_entry(frame: &[u8]) -> Result<EntryView<'_>, CodecError> {
    let mut source = Source::open(frame)?;
    let entry_hash = source.array::<32>("entry hash")?;
    let seq = source.u64("seq")?;
    let correlation_id = source.uuid("correlation id")?;
    let causation_id = source.uuid("causation id")?;
    let topic = source.text("topic")?;
    let payload_type = source.text("payload type")?;
    let payload = source.bytes("payload")?;
    let ts_init = source.u64("ts_init")?;
    let ts_publish = source.u64("ts_publish")?;
    source.finish()?;
    let headers = Headers { correlation_id, causation_id };
    Ok(EntryView { seq, ts_init, ts_publish, topic, payload_type, payload, headers, entry_hash })
}

/// A manifest's frame.
pub fn encode_manifest(manifest: &RunManifest) -> Vec<u8> {
    let mut frame = Frame::new();
    frame.text(&manifest.run_id);
    frame.option(manifest.parent_run_id.as_ref(), |frame, id| frame.text(id));
    frame.text(&manifest.instance_id);
    frame.text(&manifest.binary_hash);
    frame.u32(manifest.schema_version);
    frame.text(&manifest.crate_versions);
    frame.list(&manifest.feature_flags);
    frame.map(&manifest.adapter_versions);
    frame.text(&manifest.config_hash);
    frame.map(&manifest.registered_components.actors);
    frame.map(&manifest.registered_components.strategies);
    frame.map(&manifest.registered_components.algorithms);
    frame.list(&manifest.registered_components.subscriptions);
    frame.list(&manifest.registered_components.endpoints);
    frame.option(manifest.seed.as_ref(), |frame, seed| frame.u64(*seed));
    frame.u64(manifest.start_ts_init);
    frame.option(manifest.end_ts_init.as_ref(), |frame, end| frame.u64(*end));
    frame.u64(manifest.high_watermark);
    frame.u32(manifest.status.code());
    frame.0
}

/// Reads a manifest's frame.
///
/// # Errors
/// [`CodecError`] for anything but one whole frame.
pub fn decode_manifest(frame: &[u8]) -> Result<RunManifest, CodecError> {
    let mut source = Source::open(frame)?;
    let manifest = RunManifest {
        run_id: source.text("run id")?.to_owned(),
        parent_run_id: source.option("parent run id", |s, what| s.text(what).map(str::to_owned))?,
        instance_id: source.text("instance id")?.to_owned(),
        binary_hash: source.text("binary hash")?.to_owned(),
        schema_version: source.u32("schema version")?,
        crate_versions: source.text("crate versions")?.to_owned(),
        feature_flags: source.list("feature flags")?,
        adapter_versions: source.map("adapter versions")?,
        config_hash: source.text("config hash")?.to_owned(),
        registered_components: RegisteredComponents {
            actors: source.map("actors")?,
            strategies: source.map("strategies")?,
            algorithms: source.map("algorithms")?,
            subscriptions: source.list("subscriptions")?,
            endpoints: source.list("endpoints")?,
        },
        seed: source.option("seed", Source::u64)?,
        start_ts_init: source.u64("start_ts_init")?,
        end_ts_init: source.option("end_ts_init", Source::u64)?,
        high_watermark: source.u64("high_watermark")?,
        status: source.status()?,
    };
    source.finish()?;
    Ok(manifest)
}

/// An anchor's frame.
pub fn encode_anchor(anchor: &SnapshotAnchor) -> Vec<u8> {
    let mut frame = Frame::new();
    frame.u64(anchor.high_watermark);
    frame.text(&anchor.blob_ref);
    frame.text(&anchor.content_hash);
    frame.0
}

/// Reads an anchor's frame.
///
/// # Errors
/// [`CodecError`] for anything but one whole frame.
pub fn decode_anchor(frame: &[u8]) -> Result<SnapshotAnchor, CodecError> {
    let mut source = Source::open(frame)?;
    let anchor = SnapshotAnchor {
        high_watermark: source.u64("high_watermark")?,
        blob_ref: source.text("blob_ref")?.to_owned(),
        content_hash: source.text("content_hash")?.to_owned(),
    };
    source.finish()?;
    Ok(anchor)
}

/// The payload of a `RunStarted` entry: what was registered, in the same encoding.
pub fn encode_components(components: &RegisteredComponents) -> Vec<u8> {
    let mut frame = Frame::new();
    frame.map(&components.actors);
    frame.map(&components.strategies);
    frame.map(&components.algorithms);
    frame.list(&components.subscriptions);
    frame.list(&components.endpoints);
    frame.0
}

/// Reads the payload of a `RunStarted` entry.
///
/// # Errors
/// [`CodecError`] for anything but one whole frame.
pub fn decode_components(frame: &[u8]) -> Result<RegisteredComponents, CodecError> {
    let mut source = Source::open(frame)?;
    let components = RegisteredComponents {
        actors: source.map("actors")?,
        strategies: source.map("strategies")?,
        algorithms: source.map("algorithms")?,
        subscriptions: source.list("subscriptions")?,
        endpoints: source.list("endpoints")?,
    };
    source.finish()?;
    Ok(components)
}

/// Writes into memory of a known length: the hot path, without growth checks of its own.
struct Sink<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Sink<'_> {
    fn header(&mut self) {
        self.put(&MAGIC);
        self.put(&[VERSION]);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.u64(bytes.len() as u64);
        self.put(bytes);
    }

    fn uuid(&mut self, id: Option<Uuid>) {
        match id {
            None => self.put(&[0]),
            Some(id) => {
                self.put(&[1]);
                self.bytes(&id.to_text());
            }
        }
    }
}

/// Grows as it is written: manifests and anchors, which are rare.
struct Frame(Vec<u8>);

impl Frame {
    fn new() -> Self {
        let mut frame = Vec::with_capacity(256);
        frame.extend_from_slice(&MAGIC);
        frame.push(VERSION);
        Self(frame)
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u64(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn option<T>(&mut self, value: Option<&T>, put: impl FnOnce(&mut Self, &T)) {
        self.0.push(u8::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn list(&mut self, items: &[String]) {
        self.u64(items.len() as u64);
        for item in items {
            self.text(item);
        }
    }

    fn map(&mut self, items: &[(String, String)]) {
        self.u64(items.len() as u64);
        for (key, value) in items {
            self.text(key);
            self.text(value);
        }
    }
}

/// Reads from a frame. The small steps are inlined into each reader, with what is wrong with a
/// frame kept out of their way: a scan decodes millions of entries a second.
struct Source<'a> {
    frame: &'a [u8],
    at: usize,
}

impl<'a> Source<'a> {
    #[inline(always)]
    fn open(frame: &'a [u8]) -> Result<Self, CodecError> {
        let mut source = Self { frame, at: 0 };
        if source.array::<4>("magic")? != MAGIC {
            return Err(CodecError { offset: 0, reason: "does not start with NESC".into() });
        }
        let [version] = source.array::<1>("version")?;
        if version != VERSION {
            let reason = format!("frame version {version}, this version reads {VERSION}");
            return Err(CodecError { offset: 4, reason });
        }
        Ok(source)
    }

    fn fail(&self, reason: String) -> CodecError {
        CodecError { offset: self.at, reason }
    }

    #[cold]
    fn too_long(&self, length: u64, what: &str) -> CodecError {
        let remaining = self.frame.len() - self.at;
        self.fail(format!("{what} needs {length} bytes, {remaining} remain"))
    }

    #[inline(always)]
    fn take(&mut self, length: u64, what: &str) -> Result<&'a [u8], CodecError> {
        let remaining = self.frame.len() - self.at;
        match usize::try_from(length) {
            Ok(length) if length <= remaining => {
                let bytes = &self.frame[self.at..self.at + length];
                self.at += length;
                Ok(bytes)
            }
            _ => Err(self.too_long(length, what)),
        }
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], CodecError> {
        let bytes = self.take(N as u64, what)?;
        Ok(bytes.try_into().expect("take returns the length asked for"))
    }

    fn u32(&mut self, what: &str) -> Result<u32, CodecError> {
        self.array(what).map(u32::from_le_bytes)
    }

    #[inline(always)]
    fn u64(&mut self, what: &str) -> Result<u64, CodecError> {
        self.array(what).map(u64::from_le_bytes)
    }

    #[inline(always)]
    fn bytes(&mut self, what: &str) -> Result<&'a [u8], CodecError> {
        let length = self.u64(what)?;
        self.take(length, what)
    }

    #[inline(always)]
    fn text(&mut self, what: &str) -> Result<&'a str, CodecError> {
        let start = self.at;
        let bytes = self.bytes(what)?;
        std::str::from_utf8(bytes)
            .map_err(|_| CodecError { offset: start, reason: format!("{what} is not UTF-8") })
    }

    fn option<T>(
        &mut self,
        what: &str,
        read: impl FnOnce(&mut Self, &str) -> Result<T, CodecError>,
    ) -> Result<Option<T>, CodecError> {
        match self.array::<1>(what)? {
            [0] => Ok(None),
            [1] => read(self, what).map(Some),
            [tag] => Err(bad_tag(self.at - 1, tag, what)),
        }
    }

    #[inline(always)]
    fn uuid(&mut self, what: &str) -> Result<Option<Uuid>, CodecError> {
        // Not by `option`, whose answer would go through memory: this is read twice a row.
        let tagged = self.at;
        match self.array::<1>(what)? {
            [0] => return Ok(None),
            [1] => {}
            [tag] => return Err(bad_tag(tagged, tag, what)),
        }
        let start = self.at;
        let text = self.bytes(what)?;
        Uuid::from_text(text).map(Some).ok_or_else(|| CodecError {
            offset: start,
            reason: format!("{what} is not a lower-case hyphenated UUID"),
        })
    }

    /// A count whose items, `item_bytes_min` each, can still be there: so that no count makes us
    /// allocate more than the frame is long.
    fn count(&mut self, what: &str, item_bytes_min: u64) -> Result<usize, CodecError> {
        let start = self.at;
        let count = self.u64(what)?;
        let remaining = (self.frame.len() - self.at) as u64;
        if count > FRAME_ITEMS_MAX || count * item_bytes_min > remaining {
            let reason = format!("{what} claims {count} items, {remaining} bytes remain");
            return Err(CodecError { offset: start, reason });
        }
        Ok(count as usize)
    }

    fn list(&mut self, what: &str) -> Result<Vec<String>, CodecError> {
        let count = self.count(what, 8)?;
        (0..count).map(|_| self.text(what).map(str::to_owned)).collect()
    }

    fn map(&mut self, what: &str) -> Result<TextMap, CodecError> {
        let count = self.count(what, 16)?;
        (0..count).map(|_| Ok((self.text(what)?.to_owned(), self.text(what)?.to_owned()))).collect()
    }

    fn status(&mut self) -> Result<RunStatus, CodecError> {
        let start = self.at;
        let code = self.u32("status")?;
        RunStatus::from_code(code).ok_or_else(|| CodecError {
            offset: start,
            reason: format!("status {code} is not one of 0 to 3"),
        })
    }

    #[inline(always)]
    fn finish(self) -> Result<(), CodecError> {
        let trailing = self.frame.len() - self.at;
        if trailing != 0 {
            return Err(self.fail(format!("{trailing} bytes follow the frame's end")));
        }
        Ok(())
    }
}

#[cold]
fn bad_tag(offset: usize, tag: u8, what: &str) -> CodecError {
    let reason = format!("{what} has option tag {tag}, expected 0 or 1");
    CodecError { offset, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> RunManifest {
        let mut manifest = RunManifest::new("r-1", "i-1", 7);
        manifest.parent_run_id = Some("r-0".into());
        manifest.feature_flags = vec!["a".into(), String::new()];
        manifest.adapter_versions = vec![("b".into(), "2".into()), ("a".into(), "1".into())];
        manifest.seed = Some(9);
        manifest.end_ts_init = Some(11);
        manifest.status = RunStatus::Ended;
        manifest
    }

    /// Every manifest field survives, maps in the order given.
    #[test]
    fn manifest_round_trips() {
        let manifest = sample();
        assert_eq!(decode_manifest(&encode_manifest(&manifest)), Ok(manifest));
    }

    /// A count that no remaining byte backs is refused before anything is reserved for it.
    #[test]
    fn oversized_count_is_refused() {
        let frame = encode_manifest(&RunManifest::new("r", "i", 0));
        // run id 9, parent 1, instance 9, binary hash 8, schema 4, crate versions 8
        let at = HEADER_BYTES + 9 + 1 + 9 + 8 + 4 + 8;
        for count in [u64::MAX, FRAME_ITEMS_MAX + 1, FRAME_ITEMS_MAX, 1000] {
            let mut damaged = frame.clone();
            damaged[at..at + 8].copy_from_slice(&count.to_le_bytes());
            let error = decode_manifest(&damaged).unwrap_err();
            assert_eq!(error.offset, at, "{error}");
        }
    }

    proptest! {
        /// Whatever is encoded decodes to the same entry, and no cut or extension of it decodes.
        #[test]
        fn entry_round_trips(
            seq: u64, ts_init: u64, ts_publish: u64, topic in ".{0,40}", payload_type in ".{0,40}",
            payload in proptest::collection::vec(any::<u8>(), 0..300), hash: [u8; 32],
            correlation: Option<[u8; 16]>, causation: Option<[u8; 16]>,
        ) {
            let headers = Headers {
                correlation_id: correlation.map(Uuid),
                causation_id: causation.map(Uuid),
            };
            let entry = EntryView {
                seq, ts_init, ts_publish, topic: &topic, payload_type: &payload_type,
                payload: &payload, headers, entry_hash: hash,
            };
            let mut frame = encode_entry(&entry);
            prop_assert_eq!(decode_entry(&frame), Ok(entry));
            for cut in 0..frame.len() {
                prop_assert!(decode_entry(&frame[..cut]).is_err());
            }
            frame.push(0);
            prop_assert!(decode_entry(&frame).is_err());
        }

        /// Arbitrary bytes behind a valid header never panic any decoder.
        #[test]
        fn garbage_is_refused_or_canonical(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut frame = b"NESC\x01".to_vec();
            frame.extend_from_slice(&body);
            if let Ok(entry) = decode_entry(&frame) {
                prop_assert_eq!(encode_entry(&entry), frame.clone());
            }
            if let Ok(manifest) = decode_manifest(&frame) {
                prop_assert_eq!(encode_manifest(&manifest), frame.clone());
            }
            if let Ok(anchor) = decode_anchor(&frame) {
                prop_assert_eq!(encode_anchor(&anchor), frame);
            }
        }

        /// One changed byte either fails to decode or decodes to something that encodes to itself.
        #[test]
        fn damaged_frames_never_decode_to_another_encoding(at in 0usize..200, bit in 0u8..8) {
            let mut frame = encode_manifest(&sample());
            let at = at % frame.len();
            frame[at] ^= 1 << bit;
            if let Ok(manifest) = decode_manifest(&frame) {
                prop_assert_eq!(encode_manifest(&manifest), frame);
            }
        }
    }
}
