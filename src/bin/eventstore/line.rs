//! One line of input as a draft.
//!
//! A line with `ts` is an event as CLI.md has it; one with `ts_init` is an entry as `dump --json`
//! prints it. What only a run itself may write (its manifest, its lifecycle entries) is skipped.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use eventstore::headers::Uuid;
use eventstore::index::IndexKind;
use eventstore::limits::LIFECYCLE_TOPIC_PREFIX;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::hex;

/// What a line says.
#[derive(Debug)]
pub(crate) enum Line<'a> {
    /// An event to capture.
    Event(Event<'a>),
    /// Part of a dump that the new run makes for itself.
    OfAnotherRun,
}

/// An event, its bytes borrowed from the line where they stand there as they are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) ts_init: u64,
    /// 0 where the line does not say.
    pub(crate) ts_publish: u64,
    pub(crate) topic: Cow<'a, str>,
    pub(crate) payload_type: Cow<'a, str>,
    pub(crate) payload: Cow<'a, [u8]>,
    pub(crate) correlation_id: Option<[u8; 16]>,
    pub(crate) causation_id: Option<[u8; 16]>,
    pub(crate) keys: Vec<(IndexKind, Cow<'a, str>)>,
}

/// The keys of both forms.
#[derive(Deserialize)]
struct Fields<'a> {
    ts: Option<u64>,
    ts_recv: Option<u64>,
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    payload: Option<Text<'a>>,
    #[serde(borrow)]
    payload_encoding: Option<Text<'a>>,
    #[serde(borrow)]
    client_order_id: Option<Text<'a>>,
    #[serde(borrow)]
    venue_order_id: Option<Text<'a>>,

    manifest: Option<IgnoredAny>,
    ts_init: Option<u64>,
    ts_publish: Option<u64>,
    #[serde(borrow)]
    payload_type: Option<Text<'a>>,
    #[serde(borrow)]
    payload_hex: Option<Text<'a>>,
    #[serde(borrow)]
    index_keys: Option<Vec<(Text<'a>, Text<'a>)>>,

    #[serde(borrow)]
    topic: Option<Text<'a>>,
    #[serde(borrow)]
    correlation_id: Option<Text<'a>>,
    #[serde(borrow)]
    causation_id: Option<Text<'a>>,
}

/// Borrowed unless it holds escapes; a bare `Option<Cow>` would always copy.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads one line.
///
/// # Errors
/// The text says what is wrong with it.
pub(crate) fn parse(line: &[u8]) -> Result<Line<'_>, String> {
    // A list would be taken for the fields in their order.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err("expected a JSON object".to_owned());
    }
    let fields: Fields<'_> = serde_json::from_slice(line).map_err(|error| unreadable(&error))?;
    if fields.ts.is_some() {
        return event(fields).map(Line::Event);
    }
    // An event may have a key of that name, which is ignored; the head of a dump is no entry.
    if fields.manifest.is_some() && fields.ts_init.is_none() && fields.topic.is_none() {
        return Ok(Line::OfAnotherRun);
    }
    let is_lifecycle =
        fields.topic.as_ref().is_some_and(|topic| topic.0.starts_with(LIFECYCLE_TOPIC_PREFIX));
    if is_lifecycle && fields.ts_init.is_some() {
        return Ok(Line::OfAnotherRun);
    }
    dumped_entry(fields).map(Line::Event)
}

/// An event in the form for capture.
fn event(fields: Fields<'_>) -> Result<Event<'_>, String> {
    let payload = given(fields.payload, "payload")?;
    let payload = match fields.payload_encoding.as_ref().map_or("text", |name| &name.0) {
        "text" => text_bytes(payload),
        "hex" => Cow::Owned(named("payload", hex::decode(&payload))?),
        "base64" => Cow::Owned(named("payload", BASE64.decode(&*payload))?),
        other => {
            return Err(format!("`payload_encoding` is {other:?}, expected text, hex or base64"));
        }
    };
    let ids = [
        (IndexKind::CLIENT_ORDER_ID, fields.client_order_id),
        (IndexKind::VENUE_ORDER_ID, fields.venue_order_id),
    ];
    Ok(Event {
        ts_init: fields.ts.ok_or("no `ts`")?,
        ts_publish: fields.ts_recv.unwrap_or(0),
        topic: given(fields.topic, "topic")?,
        payload_type: given(fields.kind, "type")?,
        payload,
        correlation_id: uuid(fields.correlation_id, "correlation_id")?,
        causation_id: uuid(fields.causation_id, "causation_id")?,
        keys: ids.into_iter().filter_map(|(kind, id)| Some((kind, id?.0))).collect(),
    })
}

/// An entry in the form of a dump.
fn dumped_entry(fields: Fields<'_>) -> Result<Event<'_>, String> {
    let ts_init = fields.ts_init.ok_or("neither `ts` nor the `ts_init` of a dump")?;
    let payload = given(fields.payload_hex, "payload_hex")?;
    let keys = fields.index_keys.unwrap_or_default();
    Ok(Event {
        ts_init,
        ts_publish: fields.ts_publish.unwrap_or(0),
        topic: given(fields.topic, "topic")?,
        payload_type: given(fields.payload_type, "payload_type")?,
        payload: Cow::Owned(named("payload_hex", hex::decode(&payload))?),
        correlation_id: uuid(fields.correlation_id, "correlation_id")?,
        causation_id: uuid(fields.causation_id, "causation_id")?,
        keys: keys.into_iter().map(index_key).collect::<Result<_, _>>()?,
    })
}

fn index_key<'a>((name, key): (Text<'a>, Text<'a>)) -> Result<(IndexKind, Cow<'a, str>), String> {
    let kind = IndexKind::ALL.into_iter().find(|kind| kind.name() == name.0);
    let kind = kind.ok_or_else(|| {
        let known: Vec<&str> = IndexKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("`index_keys` names the index {:?}, expected {}", name.0, known.join(" or "))
    })?;
    Ok((kind, key.0))
}

fn given<'a>(text: Option<Text<'a>>, key: &str) -> Result<Cow<'a, str>, String> {
    text.map(|text| text.0).ok_or_else(|| format!("no `{key}`"))
}

fn named<T>(key: &str, decoded: Result<T, impl std::fmt::Display>) -> Result<T, String> {
    decoded.map_err(|error| format!("`{key}`: {error}"))
}

fn text_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn uuid(text: Option<Text<'_>>, key: &str) -> Result<Option<[u8; 16]>, String> {
    let Some(text) = text else { return Ok(None) };
    match Uuid::from_text(text.0.to_ascii_lowercase().as_bytes()) {
        Some(id) => Ok(Some(id.0)),
        None => Err(format!("`{key}` is {:?}, expected a UUID of 36 characters", text.0)),
    }
}

/// The parser's reason, its place as a byte of the line: the line's own number is the caller's.
fn unreadable(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let reason = text.strip_suffix(&place).unwrap_or(&text);
    format!("{reason} (byte {})", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event_of(line: &str) -> Event<'_> {
        match parse(line.as_bytes()) {
            Ok(Line::Event(event)) => event,
            other => panic!("{line}: {other:?}"),
        }
    }

    /// Every key of the capture form lands in its field.
    #[test]
    fn capture_form_is_read_whole() {
        let event = event_of(
            r#"{"ts":5,"ts_recv":6,"topic":"t","type":"P","payload":"aGk=","payload_encoding":
            "base64","client_order_id":"c","venue_order_id":"v","extra":{"a":[1]},
            "correlation_id":"1CA87FB1-f839-4f0f-bfa3-c8051bdbae95","causation_id":null}"#,
        );
        assert_eq!((event.ts_init, event.ts_publish), (5, 6));
        assert_eq!((&*event.topic, &*event.payload_type, &*event.payload), ("t", "P", &b"hi"[..]));
        assert_eq!(event.correlation_id.unwrap()[..2], [0x1c, 0xa8]);
        assert_eq!(event.causation_id, None);
        let keys = [(IndexKind::CLIENT_ORDER_ID, "c"), (IndexKind::VENUE_ORDER_ID, "v")];
        assert!(event.keys.iter().map(|(kind, key)| (*kind, &**key)).eq(keys));
    }

    /// The three encodings of a payload, and escapes in a text.
    #[test]
    fn payload_encodings() {
        let with = |rest: &str| format!(r#"{{"ts":1,"topic":"t","type":"P","payload":{rest}}}"#);
        for (rest, bytes) in [
            (r#""a\u00fc\n""#, "aü\n".as_bytes()),
            (r#""00fF","payload_encoding":"hex""#, &[0, 255]),
            (r#""AP8=","payload_encoding":"base64""#, &[0, 255]),
            (r#""""#, b""),
        ] {
            assert_eq!(*event_of(&with(rest)).payload, *bytes, "{rest}");
        }
    }

    /// The dump's own form: keys as pairs, publish time kept, what only a run writes skipped.
    #[test]
    fn dump_form_is_read() {
        let line = r#"{"seq":"ignored","entry_hash":0,"ts_init":5,"ts_publish":6,"topic":"t",
            "payload_type":"P","payload_hex":"6869","index_keys":[["VenueOrderId","v"]]}"#;
        let event = event_of(line);
        assert_eq!((event.ts_init, event.ts_publish, &*event.payload), (5, 6, &b"hi"[..]));
        assert_eq!(event.keys, [(IndexKind::VENUE_ORDER_ID, "v".into())]);
        for skipped in [
            r#"{"manifest":{"run_id":"r"},"snapshot_anchor":null}"#,
            r#"{"ts_init":5,"topic":"run.lifecycle.RunEnded"}"#,
        ] {
            assert!(matches!(parse(skipped.as_bytes()), Ok(Line::OfAnotherRun)), "{skipped}");
        }
    }

    /// What is wrong with a line is said in words that lead to it.
    #[test]
    fn bad_lines_are_explained() {
        for (line, reason) in [
            (r#"{"ts":1,"topic":"t","type":"P"}"#, "no `payload`"),
            (r#"{"topic":"t","type":"P","payload":""}"#, "neither `ts` nor"),
            (r#"{"ts":1.5,"topic":"t","type":"P","payload":""}"#, "expected u64 (byte 9)"),
            (r#"{"ts":-1,"topic":"t","type":"P","payload":""}"#, "expected u64"),
            (r#"{"ts":1,"topic":"t","type":"P","payload":{}}"#, "expected a string"),
            (r#"{"ts":1,"ts":2}"#, "duplicate field `ts`"),
            (r#"{"ts":1,"topic":"t","type":"P","payload":"0","payload_encoding":"hex"}"#, "even"),
            (r#"{"ts":1,"topic":"t","type":"P","payload":"","payload_encoding":"x"}"#, "\"x\""),
            (r#"{"ts":1,"topic":"t","type":"P","payload":"","causation_id":"x"}"#, "causation_id"),
            (
                r#"{"ts_init":1,"topic":"t","payload_type":"P","payload_hex":"","index_keys":[["A","b"]]}"#,
                "\"A\"",
            ),
            ("[1]", "expected a JSON object"),
            ("{", "EOF"),
            ("{\"topic\":\"\u{1}\"}", "control character"),
        ] {
            let error = parse(line.as_bytes()).expect_err(line);
            assert!(error.contains(reason), "{line}: {error}");
            assert!(!error.contains("at line"), "{line}: {error}");
        }
    }
}
