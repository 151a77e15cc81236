//! Makes the header: cbindgen over `src/ffi`, with what macros make there filled in.

use std::fmt::Write as _;
use std::path::PathBuf;

use eventstore::ffi::constants::{CONSTANTS, ConstantRow};
use eventstore::ffi::layout::STRUCTS;
use eventstore::ffi::status::STATUSES;

/// The order of nouns in the header: types and calls stand together in the order of use.
pub(crate) const SOURCES: [&str; 19] = [
    "status", "error", "identity", "handle", "manifest", "open", "draft", "submit", "packed",
    "close", "state", "read", "tail", "index", "anchor", "summary", "report", "operate", "copy",
];

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn header_path() -> PathBuf {
    root().join("include/eventstore.h")
}

pub(crate) fn generate() -> String {
    let mut config =
        cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("cbindgen.toml");
    let template = config.after_includes.take().expect("cbindgen.toml has after_includes");
    let filled = template.replace("@CONSTANTS@", &constants()).replace("@STATUSES@", &statuses());
    config.after_includes = Some(filled);
    config.trailer = Some(layout_asserts());
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(root().join(format!("src/ffi/{source}.rs")));
    }
    let mut header = Vec::new();
    builder.generate().expect("cbindgen reads src/ffi").write(&mut header);
    let header = String::from_utf8(header).expect("cbindgen writes UTF-8");
    header.lines().map(str::trim_end).fold(String::new(), |text, line| text + line + "\n")
}

fn constants() -> String {
    let mut text = String::new();
    let mut group = "";
    for row in CONSTANTS {
        if row.group != group {
            group = row.group;
            writeln!(text, "/* {group} */").unwrap();
        }
        comment(&mut text, row.doc);
        writeln!(text, "#define {} {}", row.name, literal(row)).unwrap();
    }
    text
}

fn literal(row: &ConstantRow) -> String {
    match row.kind {
        "usize" if row.value == u64::MAX => "SIZE_MAX".to_owned(),
        "u64" if row.value == u64::MAX => "UINT64_MAX".to_owned(),
        "u64" => format!("{}ull", row.value),
        "u32" => format!("{}u", row.value),
        other => panic!("{}: no C literal for {other}", row.name),
    }
}

fn statuses() -> String {
    let mut text = String::new();
    let mut band = "";
    for row in STATUSES {
        if row.band != band {
            band = row.band;
            writeln!(text, "/* statuses: {band} */").unwrap();
        }
        let message = row.message.to_str().unwrap();
        let capital = message[..1].to_uppercase() + &message[1..];
        comment(&mut text, &format!("{capital}. {}", row.advice));
        let name = row.name.to_str().unwrap();
        match row.code {
            0 => writeln!(text, "#define {name} 0").unwrap(),
            code => writeln!(text, "#define {name} ({code})").unwrap(),
        }
    }
    text
}

/// A doxygen comment of lines that fit 100 columns.
fn comment(text: &mut String, doc: &str) {
    let mut line = String::from("/**");
    for word in doc.split_whitespace() {
        if line.len() + 1 + word.len() > 96 {
            writeln!(text, "{line}").unwrap();
            line = String::from(" * ");
            line.pop();
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(text, "{line} */").unwrap();
}

/// Asserts for C11, C++11 and, through the size of an array, C99.
fn layout_asserts() -> String {
    let mut text = String::from(
        "/* Layout: what the library was built with, checked where the header is used. */\n\
         #if defined(__cplusplus)\n\
         #define ES_ASSERT_(name, condition) static_assert(condition, #name)\n\
         #elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L\n\
         #define ES_ASSERT_(name, condition) _Static_assert(condition, #name)\n\
         #else\n\
         #define ES_ASSERT_(name, condition) typedef char es_assert_##name##_[(condition) ? 1 : -1]\n\
         #endif\n\
         ES_ASSERT_(pointers_have_64_bits, sizeof(void *) == 8 && sizeof(size_t) == 8);\n\
         #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__\n\
         #error \"eventstore supports little-endian targets only\"\n\
         #endif\n",
    );
    for row in STRUCTS {
        let name = row.name;
        writeln!(text, "ES_ASSERT_({name}_size, sizeof({name}) == {});", row.size).unwrap();
        for (field, offset) in row.fields {
            writeln!(text, "ES_ASSERT_({name}_{field}, offsetof({name}, {field}) == {offset});")
                .unwrap();
        }
    }
    // cbindgen would end its own include guard before these.
    text.push_str("#undef ES_ASSERT_\n\n#endif /* EVENTSTORE_H */");
    text
}
