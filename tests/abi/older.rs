//! Takes a version back: the header without its newest fields and flags.

use eventstore::ffi::constants::CONSTANTS;
use eventstore::ffi::layout::STRUCTS;

use crate::cdef::cdef;
use crate::snapshot::snapshot;

/// One flag of each group, which a version before this one could lack.
const NEWEST_FLAGS: [&str; 9] = [
    "ES_OPEN_REQUIRE_UUID_V4",
    "ES_READ_DIGEST_KEY",
    "ES_MANIFEST_HAS_END",
    "ES_DRAFT_HAS_CAUSATION_ID",
    "ES_ENTRY_KEYS_RECORDED",
    "ES_OPERATION_DIGEST_KEY",
    "ES_REPORT_CLEAN",
    "ES_ROW_NEEDS_REPAIR",
    "ES_TAIL_WRITER_GONE",
];

/// The declarations of a header that was released before `current`.
pub(crate) fn header(current: &str) -> String {
    // A constant above what a signed number holds needs its type.
    let max = u64::MAX.to_string();
    let mut text = cdef(current).replace(&max, &format!("{max}ull"));
    for row in CONSTANTS.iter().filter(|row| row.group.ends_with(".flags")) {
        let mut group = CONSTANTS.iter().filter(|other| other.group == row.group);
        let is_older = group.any(|other| NEWEST_FLAGS.contains(&other.name));
        assert!(is_older, "no flag of {} is taken off", row.group);
    }
    for flag in NEWEST_FLAGS {
        let start = text.find(&format!("#define {flag} ")).expect("a flag of the header");
        let end = start + text[start..].find('\n').expect("a line") + 1;
        text.replace_range(start..end, "");
    }
    let interface = snapshot(current);
    for row in STRUCTS {
        let may_grow = format!("struct {} = {} bytes, may grow", row.name, row.size);
        if interface.lines().any(|line| line == may_grow) {
            text = without_last_field(&text, row.name);
        }
    }
    format!(
        "#ifndef OLDER_H\n#define OLDER_H\n#include <stddef.h>\n#include <stdint.h>\n{text}#endif\n"
    )
}

fn without_last_field(text: &str, name: &str) -> String {
    let (before, last) = text.split_once(&format!("\n}} {name};")).expect("a struct");
    let (kept, _) = before.rsplit_once('\n').expect("a field a line");
    format!("{kept}\n}} {name};{last}")
}
