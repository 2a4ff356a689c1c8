//! Text files as editors and spreadsheets of any system write them.

use std::io;
use std::path::Path;

/// Reads a text file, as [`text`] reads its bytes.
pub fn read(file: &Path) -> io::Result<String> {
    text(&std::fs::read(file)?)
}

/// A file's bytes as text in UTF-8, without the mark that some editors begin it with, and with lines that end with `\n`:
/// so that lines are counted the same way everywhere.
///
/// Errors: the bytes are not text in UTF-8.
pub fn text(bytes: &[u8]) -> io::Result<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|wrong| {
        let line = 1 + bytes[..wrong.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line}: it is not text in UTF-8"))
    })?;
    Ok(text.replace("\r\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_line_ends_of_other_systems_are_read() {
        assert_eq!(text(b"\xef\xbb\xbfa\r\nb\n\r\n").expect("UTF-8"), "a\nb\n\n");
        let refused = text(b"a\r\nb\r\n\xff").expect_err("it is not UTF-8");
        assert_eq!(refused.to_string(), "line 3: it is not text in UTF-8");
    }
}
