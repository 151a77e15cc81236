//! Where the lines of an ingest come from: files, compressed files, standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::failure::Failure;
use crate::progress::Progress;

/// Longest line, in bytes: the largest payload with every byte escaped, and room for the rest.
const LINE_BYTES_MAX: u64 = 512 << 20;
const BUFFER_BYTES: usize = 256 << 10;

/// One input, read line by line.
pub(crate) struct Source {
    name: String,
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
}

/// Whether the path stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Checks that all files can be read before anything is made of the first; answers their bytes,
/// where that can be told.
pub(crate) fn check_all(paths: &[impl AsRef<Path>]) -> Result<Option<u64>, Failure> {
    let mut total = Some(0);
    for path in paths.iter().map(AsRef::as_ref) {
        if is_stdin(path) {
            total = None;
            continue;
        }
        let described = File::open(path).and_then(|file| file.metadata());
        let metadata = described
            .map_err(|error| Failure::from_io(path.display(), "opening the input", &error))?;
        if metadata.is_dir() {
            let text = format!("{}: is a folder, expected a file of JSON Lines", path.display());
            return Err(Failure::CannotRun(text));
        }
        total = total.filter(|_| metadata.is_file()).map(|total: u64| total + metadata.len());
    }
    Ok(total)
}

impl Source {
    /// Opens one input.
    pub(crate) fn open(path: &Path, progress: &Progress) -> io::Result<Self> {
        let (name, bytes): (String, Box<dyn Read>) = if is_stdin(path) {
            ("standard input".to_owned(), Box::new(io::stdin()))
        } else {
            (path.display().to_string(), Box::new(File::open(path)?))
        };
        let counted = BufReader::with_capacity(BUFFER_BYTES, progress.counting(bytes));
        let is_compressed = path.extension().is_some_and(|extension| extension == "zst");
        let reader: Box<dyn BufRead> = if is_compressed {
            let decoder = zstd::Decoder::with_buffer(counted)?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        } else {
            Box::new(counted)
        };
        Ok(Self { name, reader, line: Vec::new(), number: 0 })
    }

    /// Goes to the next line that is not blank; `false` at the end.
    ///
    /// # Errors
    /// The text says why the input cannot be read on.
    pub(crate) fn advance(&mut self) -> Result<bool, String> {
        loop {
            self.line.clear();
            self.number += 1;
            let mut limited = (&mut self.reader).take(LINE_BYTES_MAX);
            let count = limited
                .read_until(b'\n', &mut self.line)
                .map_err(|error| format!("reading failed: {error}"))?;
            if count == 0 {
                return Ok(false);
            }
            if count as u64 == LINE_BYTES_MAX && !self.line.ends_with(b"\n") {
                return Err(format!("longer than {} MiB", LINE_BYTES_MAX >> 20));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The line that was gone to.
    pub(crate) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Its place, as `file:number`.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.name, self.number)
    }
}
