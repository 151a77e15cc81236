//! Commands that a message names, as a shell takes them when pasted.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::screen::shown;

/// The command that seals what a writer left.
pub(crate) fn recover_command(base: &Path, instance: &str) -> String {
    let (base, instance) = (quoted(base.as_os_str()), quoted(OsStr::new(instance)));
    format!("eventstore recover --base {base} --instance {instance}")
}

/// The text as one word of a shell's line.
fn quoted(word: &OsStr) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(byte);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.as_bytes().iter().all(is_plain) => text.to_owned(),
        Some(text) if shown(text) == text => format!("'{}'", text.replace('\'', r"'\''")),
        // What a message cannot show as it is.
        _ => format!("$'{}'", word.as_bytes().escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A shell reads back what was quoted, and plain words stay plain.
    #[test]
    fn quoted_words_are_read_back_by_a_shell() {
        assert_eq!(quoted(OsStr::new("/data/run-1.eslog")), "/data/run-1.eslog");
        let words: [&[u8]; 7] =
            [b"", b"my dir", b"it's", b"~", b"$HOME `x` \\ \"", "größe".as_bytes(), b"a\nb\xff'c"];
        for word in words {
            let word = OsStr::from_bytes(word);
            let script = format!("printf %s {}", quoted(word));
            let ran = Command::new("bash").args(["-c", &script]).output().expect("bash runs");
            assert_eq!(OsStr::from_bytes(&ran.stdout), word, "{script}");
        }
    }
}
