//! The binary interface as lines of text, and which differences between two of them are allowed.
//!
//! A line a constant, type, struct, field and function. Constants, types and functions may be
//! added. A struct may take new fields in its reserved bytes, and grow at its end where every call
//! learns its size. Nothing else may change.

use std::collections::BTreeMap;

use crate::cdef::cdef;

/// What a line is about, and what it says of that; in the order of the header.
type Line = (String, String);

/// The interface that a header declares.
pub(crate) fn snapshot(header: &str) -> String {
    let mut lines: Vec<Line> = Vec::new();
    let declarations = cdef(header);
    let declarations = declarations.split_once("*/").expect("a first comment").1;
    let mut rest = String::new();
    for line in declarations.lines() {
        match line.strip_prefix("#define ").and_then(|line| line.split_once(' ')) {
            Some((name, value)) => lines.push((format!("constant {name}"), value.to_owned())),
            None => rest.extend([line.trim(), " "]),
        }
    }
    let functions: Vec<&str> = rest.split(';').filter(|text| text.ends_with(')')).collect();
    for declaration in top_level(&rest) {
        if let Some((name, body)) =
            declaration.strip_prefix("typedef struct ").and_then(|text| text.split_once(" {"))
        {
            let grows = functions.iter().any(|function| gives_size(function, name));
            lines.extend(struct_lines(header, name, body, grows));
        } else if let Some(text) = declaration.strip_prefix("typedef ") {
            lines.push((format!("type {}", name_of(text)), text.to_owned()));
        } else {
            lines.push((format!("function {}", name_of(declaration)), declaration.to_owned()));
        }
    }
    lines.iter().map(|(about, says)| format!("{about} = {says}\n")).collect()
}

/// Declarations between the semicolons that stand in no braces.
fn top_level(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// The declared name: before the parameters, or the last word; of a function pointer in brackets.
fn name_of(declaration: &str) -> &str {
    let head = match declaration.split_once("(*") {
        Some((_, pointer)) => pointer.split(')').next().unwrap_or_default(),
        None => declaration.split('(').next().unwrap_or_default(),
    };
    head.trim().rsplit([' ', '*']).next().unwrap_or_default()
}

/// Whether a function learns the size of a struct that it takes.
fn gives_size(function: &str, name: &str) -> bool {
    let mut parameters = function.split(['(', ',']).map(str::trim);
    while let Some(parameter) = parameters.next() {
        if parameter.contains(&format!("struct {name} *")) {
            let next = parameters.next().unwrap_or_default().trim_end_matches(')');
            return next.starts_with("size_t ")
                && (next.ends_with("size") || next.ends_with("stride"));
        }
    }
    false
}

fn struct_lines(header: &str, name: &str, body: &str, grows: bool) -> Vec<Line> {
    let asserted = |what: &str| -> usize {
        let marker = format!("ES_ASSERT_({name}_{what}, ");
        let (_, rest) = header.split_once(&marker).unwrap_or_else(|| panic!("no {marker}"));
        let (_, value) = rest.split_once("== ").expect("a value");
        value.split(')').next().and_then(|value| value.parse().ok()).expect("a number")
    };
    let size = asserted("size");
    let kind = if grows { "may grow" } else { "fixed" };
    let mut lines = vec![(format!("struct {name}"), format!("{size} bytes, {kind}"))];
    let fields: Vec<&str> =
        body.split('}').next().unwrap_or_default().split(';').map(str::trim).collect();
    let fields = &fields[..fields.len() - 1];
    let plain = |field: &str| name_of(field.split('[').next().unwrap_or_default()).to_owned();
    for (index, field) in fields.iter().enumerate() {
        let start = asserted(&plain(field));
        let end = fields.get(index + 1).map_or(size, |next| asserted(&plain(next)));
        let about = format!("field {name}.{}", plain(field));
        lines.push((about, format!("bytes {start} to {end}, {field}")));
    }
    lines
}

fn parsed(snapshot: &str) -> BTreeMap<&str, &str> {
    snapshot.lines().filter_map(|line| line.split_once(" = ")).collect()
}

/// What a program made for `released` would miss in `current`.
pub(crate) fn broken_promises(released: &str, current: &str) -> Vec<String> {
    let (released, current) = (parsed(released), parsed(current));
    let mut broken = Vec::new();
    for (about, before) in &released {
        let now = current.get(about).copied();
        let holds = match (about.split_once(' ').expect("a kind and a name"), now) {
            (("constant", "ES_ABI_VERSION"), Some(now)) => later_minor(before, now),
            (("struct", _), Some(now)) => {
                now == *before || before.ends_with("may grow") && bytes(now).0 >= bytes(before).0
            }
            // Its bytes may be given to new fields, which are looked at below.
            (("field", name), _) if is_reserved(name) => true,
            (_, now) => now == Some(*before),
        };
        if !holds {
            broken.push(format!("{about}: was {before}, is {}", now.unwrap_or("gone")));
        }
    }
    for (about, now) in &current {
        let Some(name) = about.strip_prefix("field ").filter(|_| !released.contains_key(about))
        else {
            continue;
        };
        let owner = name.split('.').next().unwrap_or_default();
        if !released.get(format!("struct {owner}").as_str()).is_none_or(|size| {
            bytes(now).0 >= bytes(size).0 || within_reserved(&released, owner, bytes(now))
        }) {
            broken.push(format!("{about}: new, where {owner} had something else: {now}"));
        }
    }
    broken
}

fn is_reserved(field: &str) -> bool {
    field.split('.').nth(1).is_some_and(|name| name.starts_with("reserved"))
}

fn within_reserved(released: &BTreeMap<&str, &str>, owner: &str, (from, to): (u64, u64)) -> bool {
    let prefix = format!("field {owner}.reserved");
    let reserved = released.iter().filter(|(about, _)| about.starts_with(&prefix));
    reserved.map(|(_, says)| bytes(says)).any(|(start, end)| start <= from && to <= end)
}

/// The first two numbers of a line: from and to of a field, the size of a struct.
fn bytes(says: &str) -> (u64, u64) {
    let mut numbers = says.split([' ', ',']).filter_map(|word| word.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn later_minor(before: &str, now: &str) -> bool {
    match (before.parse::<u32>(), now.parse::<u32>()) {
        (Ok(before), Ok(now)) => before >> 16 == now >> 16 && now >= before,
        _ => false,
    }
}
