//! A Rust file with its comments and literals told apart from its code.

/// One file of the crate.
pub(crate) struct SourceFile {
    /// From the crate's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and the insides of literals blanked; lines and columns are kept.
    pub(crate) code: String,
}

impl SourceFile {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blank(text) }
    }

    /// A finding at a byte offset.
    pub(crate) fn finding(&self, offset: usize, reason: &str) -> String {
        format!("{}:{}: {reason}", self.path, line_of(&self.code, offset))
    }

    /// The code without the items under `#[cfg(test)]`.
    pub(crate) fn shipped_code(&self) -> String {
        let mut code = self.code.clone();
        while let Some(start) = code.find("#[cfg(test)]") {
            let end = match code[start..].find(['{', ';']).map(|at| start + at) {
                Some(at) if code.as_bytes()[at] == b'{' => closing_brace(&code, at),
                Some(at) => at,
                None => code.len() - 1,
            };
            let blanked: String = code[start..=end].chars().map(blanked).collect();
            code.replace_range(start..=end, &blanked);
        }
        code
    }
}

/// The line of an offset, from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// The offset of the brace that closes the one at `open`, or the last one of the text.
pub(crate) fn closing_brace(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len() - 1
}

/// The offsets at which `word` stands as a whole word.
pub(crate) fn words(code: &str, word: &str) -> Vec<usize> {
    let part_of_name =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = code.as_bytes();
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|&at| {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            !part_of_name(before) && !part_of_name(bytes.get(at + word.len()))
        })
        .collect()
}

/// Of the same length in bytes, so that offsets stay what they were.
fn blanked(character: char) -> String {
    if character == '\n' { "\n".to_owned() } else { " ".repeat(character.len_utf8()) }
}

/// Blanks comments and the insides of literals.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment_bytes(rest),
            '"' => string_bytes(rest),
            'r' if !ends_in_name(&code) => raw_string_bytes(rest).unwrap_or(0),
            '\'' => character_bytes(rest).unwrap_or(0),
            _ => 0,
        };
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..skipped].chars().map(blanked));
            rest = &rest[skipped..];
        }
    }
    code
}

/// Whether the last character belongs to a name, so that an `r` after it starts no literal;
/// `br"` does, which is why a lone `b` is let through.
fn ends_in_name(code: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    let name: String = code.chars().rev().take_while(|&c| in_name(c)).collect();
    !name.is_empty() && name != "b"
}

fn block_comment_bytes(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

fn string_bytes(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string_bytes(text: &str) -> Option<usize> {
    let hashes = text[1..].bytes().take_while(|&byte| byte == b'#').count();
    let inside = text.get(1 + hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end)?;
    Some(1 + hashes + 1 + length + end.len())
}

/// `None` for a lifetime.
fn character_bytes(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    let (_, first) = characters.next()?;
    if first == '\\' {
        // The escaped character may itself be a quote.
        characters.next()?;
        return characters.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    characters.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Comments and literals of every sort are blanked, code and lifetimes are not, and nothing
    /// moves.
    #[test]
    fn blanking_keeps_code_and_places() {
        let text = concat!(
            "let a = \"x } \\\" {\"; // unsafe {\n",
            "/* unsafe { /* nested */ } */ let b = r#\"\"}\"#;\n",
            "let c = '{'; let d: &'static str = b'\\''; fn bar<'a>() {}\n",
            "let größe = br\"}\"; for_r(\"}\");",
        );
        let code = blank(text);
        assert_eq!(code.len(), text.len());
        assert_eq!(code.matches('\n').count(), 3);
        assert_eq!((code.matches('{').count(), code.matches('}').count()), (1, 1));
        assert!(!code.contains("unsafe"));
        for kept in ["let a =", "let b =", "&'static str", "fn bar<'a>() {}", "größe", "for_r("] {
            assert_eq!(code.find(kept), text.find(kept), "{kept}");
        }
    }

    /// What only tests use is no part of the shipped code.
    #[test]
    fn shipped_code_has_no_tests() {
        let text =
            "use a;\n#[cfg(test)]\nuse b;\n#[cfg(test)]\nmod tests { fn x() { c() } }\nfn d() {}\n";
        let shipped = SourceFile::new("src/x.rs", text).shipped_code();
        assert!(shipped.contains("use a;") && shipped.contains("fn d() {}"));
        assert!(!shipped.contains("use b") && !shipped.contains("c()"));
    }
}
