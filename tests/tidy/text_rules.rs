//! Rules about one file: sizes, openings, leftovers, and where `unsafe` may stand.

use crate::source::{SourceFile, closing_brace, line_of, words};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 80;
/// The folders and files that hold all `unsafe` code of the crate.
const UNSAFE_PLACES: [&str; 7] = [
    "src/platform/",
    "src/ffi/",
    "src/writer/handoff/ring.rs",
    "src/writer/handoff/queue.rs",
    "src/hash/lanes.rs",
    "src/bin/eventstore/bench/exported.rs",
    "src/bin/eventstore/bench/peers/lmdb.rs",
];

pub(crate) fn too_many_lines(file: &SourceFile) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![format!(
        "{}: {lines} lines, at most {FILE_LINES_MAX}: give a part its own file",
        file.path
    )]
}

pub(crate) fn long_functions(file: &SourceFile) -> Vec<String> {
    let code = &file.code;
    let mut findings = Vec::new();
    for start in words(code, "fn") {
        // A body opens with a brace; a declaration or a function type does not.
        let Some(open) = body_of(code, start) else { continue };
        let lines = line_of(code, closing_brace(code, open)) - line_of(code, start) + 1;
        if lines > FUNCTION_LINES_MAX {
            let name = code[start + 2..].trim_start().split(['(', '<']).next().unwrap_or_default();
            let reason = format!("{name} has {lines} lines, at most {FUNCTION_LINES_MAX}");
            findings.push(file.finding(start, &reason));
        }
    }
    findings
}

/// The brace that opens the body of the function whose `fn` stands at `start`. Semicolons and
/// braces inside the brackets of its signature (array types) are not its end.
fn body_of(code: &str, start: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' | b'}' if depth == 0 => return None,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    None
}

pub(crate) fn missing_purpose(file: &SourceFile) -> Vec<String> {
    let opens = file.text.lines().next().is_some_and(|line| {
        line.strip_prefix("//! ").is_some_and(|purpose| !purpose.trim().is_empty())
    });
    if opens {
        return Vec::new();
    }
    vec![format!("{}:1: does not open with `//!` and what it is for", file.path)]
}

pub(crate) fn leftovers(file: &SourceFile) -> Vec<String> {
    let macros = ["todo", "unimplemented", "dbg"];
    let mut findings = Vec::new();
    for name in macros {
        for at in words(&file.code, name) {
            if file.code[at + name.len()..].starts_with('!') {
                findings.push(file.finding(at, &format!("{name}! is left over")));
            }
        }
    }
    findings
}

pub(crate) fn hollow_tests(file: &SourceFile) -> Vec<String> {
    let shapes = [
        ("#[ignore", "a test that is switched off proves nothing: make it run or remove it"),
        ("assert!(true)", "an assertion that cannot fail"),
        ("assert!(true,", "an assertion that cannot fail"),
    ];
    let mut findings = Vec::new();
    for (shape, reason) in shapes {
        let found = file.code.match_indices(shape);
        findings.extend(found.map(|(at, _)| file.finding(at, reason)));
    }
    findings
}

pub(crate) fn misplaced_unsafe(file: &SourceFile) -> Vec<String> {
    if UNSAFE_PLACES.iter().any(|place| file.path.starts_with(place)) {
        return Vec::new();
    }
    let reason = format!("unsafe outside {}", UNSAFE_PLACES.join(", "));
    words(&file.code, "unsafe").into_iter().map(|at| file.finding(at, &reason)).collect()
}

/// Blocks and impls need a `SAFETY:` comment above their statement or on their line. Clippy asks
/// for it too; this also reads code that clippy's configuration leaves out.
pub(crate) fn unexplained_unsafe(file: &SourceFile) -> Vec<String> {
    let text: Vec<&str> = file.text.lines().collect();
    let code: Vec<&str> = file.code.lines().collect();
    let mut findings = Vec::new();
    for at in words(&file.code, "unsafe") {
        let after = file.code[at + "unsafe".len()..].trim_start();
        let needs_reason = after.starts_with('{') || words(after, "impl").first() == Some(&0);
        let line = line_of(&file.code, at) - 1;
        if needs_reason && !explained(&text, &code, line) {
            findings.push(file.finding(at, "unsafe without a SAFETY comment above it"));
        }
    }
    findings
}

fn explained(text: &[&str], code: &[&str], line: usize) -> bool {
    if text[line].contains("SAFETY:") {
        return true;
    }
    for above in (0..line).rev() {
        let line_code = code[above].trim();
        if line_code.is_empty() {
            // A comment, or a blank line, which ends the search.
            if text[above].contains("SAFETY:") {
                return true;
            }
            if text[above].trim().is_empty() {
                return false;
            }
        } else if line_code.ends_with([';', '}', '{', ',']) && !line_code.starts_with("#[") {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile::new(path, text)
    }

    /// One line too many is caught, the last allowed is not.
    #[test]
    fn long_file_is_caught() {
        assert_eq!(too_many_lines(&file("src/x.rs", &"//\n".repeat(FILE_LINES_MAX))).len(), 0);
        assert_eq!(too_many_lines(&file("src/x.rs", &"//\n".repeat(FILE_LINES_MAX + 1))).len(), 1);
    }

    /// The length counts from `fn` to its brace, whatever braces stand in texts and signatures.
    #[test]
    fn long_function_is_caught() {
        let function = |lines: usize| {
            let inside = "    f(\"}\", '}'); // }\n".repeat(lines - 2);
            format!("impl X {{\nfn long(a: [u8; 4]) -> [u8; 2] {{\n{inside}}}\n}}\n")
        };
        assert_eq!(long_functions(&file("src/x.rs", &function(FUNCTION_LINES_MAX))).len(), 0);
        let found = long_functions(&file("src/x.rs", &function(FUNCTION_LINES_MAX + 1)));
        assert_eq!(found, ["src/x.rs:2: long has 81 lines, at most 80"]);
        let declared = format!("trait T {{\nfn a();\n{}fn b() {{}}\n}}", "\n".repeat(90));
        assert_eq!(long_functions(&file("src/x.rs", &declared)).len(), 0);
        let bounded = format!("fn a<F>(f: F) where F: I<A = B>, B: C {{\n{}}}", "x;\n".repeat(90));
        assert_eq!(long_functions(&file("src/x.rs", &bounded)).len(), 1);
    }

    /// The first line says what the file is for.
    #[test]
    fn missing_module_docs_are_caught() {
        assert_eq!(missing_purpose(&file("src/x.rs", "//! Keeps order.\n")).len(), 0);
        for bad in ["", "use a;\n//! Late.", "// A comment.", "//!", "\n//! Late."] {
            assert_eq!(missing_purpose(&file("src/x.rs", bad)).len(), 1, "{bad:?}");
        }
    }

    /// Macros that mark unfinished work are caught in code, not in texts.
    #[test]
    fn leftovers_are_caught() {
        let text = "fn f() { todo!() }\nfn g() { unimplemented!(\"x\") }\nfn h() { dbg!(1); }";
        assert_eq!(leftovers(&file("src/x.rs", text)).len(), 3);
        let fine = "// todo!()\nfn todo() { say(\"dbg!\"); undbg!(1) }";
        assert_eq!(leftovers(&file("src/x.rs", fine)).len(), 0);
    }

    /// Tests that are switched off or cannot fail are caught.
    #[test]
    fn hollow_tests_are_caught() {
        let text = "#[test]\n#[ignore = \"slow\"]\nfn a() {}\nfn b() { assert!(true); assert!(true, \"x\") }";
        assert_eq!(hollow_tests(&file("tests/x.rs", text)).len(), 3);
        let fine = "// #[ignore]\nfn b() { assert!(true_enough); }";
        assert_eq!(hollow_tests(&file("tests/x.rs", fine)).len(), 0);
    }

    /// `unsafe` in any form is caught outside its places, and only there.
    #[test]
    fn misplaced_unsafe_is_caught() {
        let text = "unsafe fn f() {}\nfn g() { unsafe { f() } }\nunsafe impl Send for X {}";
        assert_eq!(misplaced_unsafe(&file("src/reader.rs", text)).len(), 3);
        assert_eq!(misplaced_unsafe(&file("src/writer/handoff/ringer.rs", text)).len(), 3);
        assert_eq!(misplaced_unsafe(&file("src/writer/handoff/ring.rs", text)).len(), 0);
        assert_eq!(misplaced_unsafe(&file("src/ffi/run.rs", text)).len(), 0);
        let lint = "#![deny(unsafe_op_in_unsafe_fn)] // unsafe";
        assert_eq!(misplaced_unsafe(&file("src/reader.rs", lint)).len(), 0);
    }

    /// A reason belongs to the statement below it and to no later one.
    #[test]
    fn unexplained_unsafe_is_caught() {
        for bad in [
            "fn f() { unsafe { g() } }",
            "// SAFETY: far away.\n\nlet a = unsafe { g() };",
            "// SAFETY: of the first.\nunsafe { g() };\nunsafe { g() };",
            "// SAFETY: of the statement before.\nh();\nunsafe { g() };",
            "// safe enough\nunsafe impl Send for X {}",
        ] {
            assert_eq!(unexplained_unsafe(&file("src/ffi/x.rs", bad)).len(), 1, "{bad}");
        }
        for good in [
            "// SAFETY: `a` is live.\nunsafe { g(a) };",
            "// SAFETY: `a` is live,\n// and aligned.\nlet b =\n    unsafe { g(a) };",
            "// SAFETY: no fields.\n#[rustfmt::skip]\nunsafe impl Send for X {}",
            "let a = unsafe { g() }; // SAFETY: no argument.",
            "unsafe fn f();",
            "extern \"C\" { }\npub unsafe extern \"C\" fn f() {}",
        ] {
            assert_eq!(
                unexplained_unsafe(&file("src/ffi/x.rs", good)),
                [] as [String; 0],
                "{good}"
            );
        }
    }
}
