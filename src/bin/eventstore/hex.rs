//! Bytes as lower-case hexadecimal, and back.

/// Two digits a byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Digits of either case.
///
/// # Errors
/// The text says what is wrong.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(format!("{} hexadecimal digits, expected an even number", text.len()));
    }
    let mut bytes = Vec::with_capacity(pairs.len());
    for (at, [high, low]) in pairs.iter().enumerate() {
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
            return Err(format!("no hexadecimal digit at byte {} of the text", at * 2));
        };
        bytes.push(high << 4 | low);
    }
    Ok(bytes)
}

fn digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte comes back; odd lengths and other characters are refused.
    #[test]
    fn bytes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Ok(all.clone()));
        assert_eq!(decode(&encode(&all).to_uppercase()), Ok(all));
        assert!(decode("abc").is_err());
        assert!(decode("0g").unwrap_err().contains("byte 0"));
    }
}
