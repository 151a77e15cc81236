//! The header's declarations without comments and conditions, as cffi's `cdef` reads them.
//!
//! What stays: constants that are one number, types, functions. Everything but the constants is
//! plain C without a directive.

use std::fmt::Write as _;

/// Turns the text of the header into that of `eventstore.cdef.h`.
pub(crate) fn cdef(header: &str) -> String {
    let mut text = String::from(
        "/* SPDX-License-Identifier: MIT OR Apache-2.0\n * Made from eventstore.h, for cffi's cdef; \
         do not edit. */\n",
    );
    let plain = without_comments(header).replace("\\\n", " ");
    // The include guard is the first condition; what stands in a further one is for compilers.
    let mut conditions = 0;
    for line in plain.lines().map(str::trim_end) {
        let directive = line.strip_prefix('#').map(str::trim_start);
        match directive {
            Some(rest) if rest.starts_with("if") => conditions += 1,
            Some(rest) if rest.starts_with("endif") => conditions -= 1,
            Some(rest) => {
                if let Some((name, number)) = constant(rest) {
                    writeln!(text, "#define {name} {number}").unwrap();
                }
            }
            None if conditions > 1 || line.starts_with("ES_ASSERT_(") => {}
            None if ["", "ES_API", "ES_MUST_USE"].contains(&line) => {}
            None => writeln!(text, "{line}").unwrap(),
        }
    }
    text
}

fn without_comments(header: &str) -> String {
    let mut text = String::new();
    let mut rest = header;
    while let Some((before, after)) = rest.split_once("/*") {
        text.push_str(before);
        rest = after.split_once("*/").expect("a comment ends").1;
    }
    text + rest
}

/// A constant whose value is one number.
fn constant(directive: &str) -> Option<(&str, String)> {
    let (name, value) = directive.strip_prefix("define ")?.split_once(' ')?;
    let value = value.trim().trim_start_matches('(').trim_end_matches(')');
    let number = match value {
        "SIZE_MAX" | "UINT64_MAX" => u64::MAX.to_string(),
        _ => value.trim_end_matches(['u', 'l']).to_owned(),
    };
    let digits = number.strip_prefix('-').unwrap_or(&number);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((name, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Constants and declarations stay; comments, conditions, initialisers and asserts go.
    #[test]
    fn declarations_alone_stay() {
        let header = "/* a\n * b */\n#ifndef GUARD\n#define GUARD\n#include <stdint.h>\n\
            #ifdef __cplusplus\nextern \"C\" {\n#endif\n#define ES_A 1u\n#define ES_B (-2)\n\
            #define ES_C UINT64_MAX\n#define ES_D_INIT {0, \\\n 1}\n\
            struct es_x {\n    int a; /* c */\n};\nES_API\nES_MUST_USE\nint es_f(int a,\n  int b);\n\
            ES_ASSERT_(x, 1);\n#endif\n";
        let expected = "#define ES_A 1\n#define ES_B -2\n#define ES_C 18446744073709551615\n\
            struct es_x {\n    int a;\n};\nint es_f(int a,\n  int b);\n";
        assert!(cdef(header).ends_with(expected), "{}", cdef(header));
    }
}
