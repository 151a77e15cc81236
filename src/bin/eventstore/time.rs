//! Nanoseconds since the Unix epoch, as people write and read them. Always UTC.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// `2023-11-14T22:13:20.001000003Z`.
pub(crate) fn readable(ns: u64) -> String {
    // Every u64 of nanoseconds lies before the year 2555.
    Timestamp::from_nanosecond(i128::from(ns)).map_or_else(|_| "?".into(), |at| format!("{at:.9}"))
}

/// `2023-11-14T22:13:20Z`, what lies below a second cut off.
pub(crate) fn to_the_second(ns: u64) -> String {
    let seconds = i64::try_from(ns / 1_000_000_000).ok();
    let stamp = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    stamp.map_or_else(|| "?".into(), |at| at.to_string())
}

/// The readable time and the nanoseconds beside it.
pub(crate) fn both(ns: u64) -> String {
    format!("{}  {ns}", readable(ns))
}

/// Reads nanoseconds, a date, a UTC date and time, or RFC 3339 with an offset.
///
/// # Errors
/// The text says which forms there are.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| format!("{text} ns lie beyond the year 2554"));
    }
    let stamp = text.parse::<Timestamp>().ok().or_else(|| {
        let civil = text.parse::<DateTime>().ok();
        let civil = civil.or_else(|| text.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0)))?;
        TimeZone::UTC.to_timestamp(civil).ok()
    });
    stamp.and_then(|stamp| u64::try_from(stamp.as_nanosecond()).ok()).ok_or_else(|| {
        "expected nanoseconds since 1970, or a UTC time such as 2023-11-14 or \
         2023-11-14T22:13:20.5Z, not before 1970"
            .to_owned()
    })
}

/// Nanoseconds on this machine's clock.
pub(crate) fn now_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown can be given back, to the nanosecond, over the whole range.
    #[test]
    fn readable_times_parse_back() {
        for ns in [0, 1, 999_999_999, 1_700_000_000_001_000_003, u64::MAX] {
            assert_eq!(parse(&readable(ns)), Ok(ns), "{}", readable(ns));
            assert_eq!(parse(&ns.to_string()), Ok(ns));
        }
        assert_eq!(to_the_second(1_700_000_000_999_999_999), "2023-11-14T22:13:20Z");
        assert_eq!(readable(1_700_000_000_001_000_003), "2023-11-14T22:13:20.001000003Z");
    }

    /// The shorter forms, and what is refused.
    #[test]
    fn forms_of_time() {
        let midnight = Ok(1_699_920_000_000_000_000);
        for text in ["2023-11-14", "2023-11-14T00:00:00", "2023-11-14 00:00", "2023-11-14T01:00+01"]
        {
            assert_eq!(parse(text), midnight, "{text}");
        }
        for bad in ["", "yesterday", "1969-12-31", "-5", "18446744073709551616", "2023-13-01"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
