//! The imported file, which several passes read from its beginning, as UTF-8 whatever its encoding.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::failure::Failure;

/// The number of bytes from which to detect the encoding.
const PROBE: u64 = 1 << 20;

/// A file to import.
#[derive(Clone, Debug)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) encoding: &'static Encoding,
    pub(super) size: u64,
    /// The number of bytes read since the last [`open`](Self::open).
    pub(super) read: Arc<AtomicU64>,
}

impl SourceFile {
    /// Finds the encoding and the size of a file.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read twice.
    pub(super) fn find(path: &Path, forced: Option<&'static Encoding>) -> Result<Self, Failure> {
        let shown = path.display();
        let metadata = std::fs::metadata(path)
            .map_err(|error| Failure::file(format!("cannot read {shown}"), &error))?;
        if metadata.is_dir() {
            return Err(Failure::usage(format!("{shown} is a directory; import the files in it")));
        }
        if !metadata.is_file() {
            return Err(Failure::usage(format!(
                "{shown} is a pipe or a device, \
                 which cannot be read twice; write it to a file first"
            )));
        }
        let failed = |error| Failure::file(format!("cannot read {shown}"), &error);
        let encoding = match forced {
            Some(encoding) => encoding,
            None => {
                let mut start = Vec::new();
                let file = File::open(path).map_err(failed)?;
                file.take(PROBE).read_to_end(&mut start).map_err(failed)?;
                encoding(&start, metadata.len() > PROBE)
            }
        };
        let (path, size) = (path.to_owned(), metadata.len());
        Ok(SourceFile { path, encoding, size, read: Arc::default() })
    }

    /// Opens the file at its beginning, without a byte order mark, as UTF-8. The reader passes on
    /// invalid bytes of a UTF-8 file.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be opened.
    pub(super) fn open(&self) -> Result<Box<dyn Read + Send>, Failure> {
        let file = File::open(&self.path).map_err(|error| {
            Failure::file(format!("cannot read {}", self.path.display()), &error)
        })?;
        self.read.store(0, Ordering::Relaxed);
        let counted = Counted { file, read: Arc::clone(&self.read) };
        let decoded = DecodeReaderBytesBuilder::new()
            .encoding(Some(self.encoding))
            .bom_override(true)
            .strip_bom(true)
            .utf8_passthru(true)
            .build(counted);
        Ok(Box::new(decoded))
    }
}

/// Detects the encoding by a byte order mark, else by whether the bytes are valid UTF-8. Everything
/// else counts as Windows-1252, in which Excel writes CSV, and in which every byte is a character.
fn encoding(start: &[u8], is_cut: bool) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(start) {
        return encoding;
    }
    // ASCII letters in UTF-16 have a zero in every second byte.
    let zeros =
        |first: usize| start.iter().skip(first).step_by(2).take(64).filter(|&&b| b == 0).count();
    match (zeros(0), zeros(1)) {
        (0, zeros) if zeros > 16 => return UTF_16LE,
        (zeros, 0) if zeros > 16 => return UTF_16BE,
        _ => {}
    }
    match str::from_utf8(start) {
        Ok(_) => UTF_8,
        // The probe may end within a character.
        Err(error) if is_cut && error.error_len().is_none() => UTF_8,
        Err(_) => WINDOWS_1252,
    }
}

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_told() {
        let utf16: Vec<u8> = "user_id,created_at,plan,seats\n42,1,pro,3\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for (start, is_cut, expected) in [
            (&b"\xEF\xBB\xBFa"[..], false, UTF_8),
            (b"a;b\nM\xC3\xBCller", false, UTF_8),
            (b"a;b\nM\xC3", true, UTF_8),
            (b"a;b\nM\xC3", false, WINDOWS_1252),
            (b"a;b\nM\xFCller", true, WINDOWS_1252),
            (b"\xFF\xFEa\0", false, UTF_16LE),
            (&utf16, false, UTF_16LE),
            (b"", false, UTF_8),
        ] {
            assert_eq!(encoding(start, is_cut), expected, "{start:?}");
        }
    }
}
