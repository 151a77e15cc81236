//! Which start of the operating system this is.
//!
//! Linux draws a random number whenever it starts; a process that finds the one that a file was
//! written under knows that no power cut lies between. Who asks: `backend::log`.

use std::path::Path;
use std::sync::OnceLock;

use super::directory::{self, Access};
use super::file;

const PATH: &str = "/proc/sys/kernel/random/boot_id";
/// A UUID: 32 digits in groups.
const TEXT_BYTES: usize = 36;

/// The number, read once; `None` where there is none.
pub(crate) fn id() -> Option<[u8; 16]> {
    static ID: OnceLock<Option<[u8; 16]>> = OnceLock::new();
    *ID.get_or_init(read)
}

fn read() -> Option<[u8; 16]> {
    let descriptor = directory::open_path(Path::new(PATH), Access::Read).ok()?;
    let mut text = [0; TEXT_BYTES];
    file::read_exact(descriptor.raw(), 0, &mut text).ok()?;
    parse(&text)
}

fn parse(text: &[u8]) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'-').collect();
    let digits = std::str::from_utf8(&digits).ok()?;
    let is_hex = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = is_hex.then(|| u128::from_str_radix(digits, 16).ok()).flatten()?;
    (number != 0).then(|| number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's number is read, and is the same when it is read again.
    #[test]
    fn kernel_tells_which_start_this_is() {
        let text = std::fs::read(PATH).expect("Linux has it");
        assert_eq!(read(), parse(&text[..TEXT_BYTES]));
        assert!(read().is_some());
        assert_eq!(id(), read());
    }

    /// Anything but a number is none, and so is the zero that stands for none in a file.
    #[test]
    fn anything_but_a_number_is_none() {
        let sound = "01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(parse(sound.as_bytes()).expect("a number")[..2], [0x01, 0x23]);
        for text in
            ["", "+1234567-89ab-cdef-0123-456789abcdef", "00000000-0000-0000-0000-000000000000"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
