//! The speed of the disk itself, to compare durable figures with.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The size of the file. The writer starts again at its end.
const SIZE: usize = 16 << 20;

/// Overwrites 64 KiB of a file and syncs, over and over.
///
/// SQLite's WAL does the same once it has reached its size. No file is made durable faster: when a
/// file grows, the file system must also write its new size.
#[derive(Debug)]
pub struct RawSync {
    file: File,
    block: Vec<u8>,
    at: usize,
}

impl RawSync {
    /// Makes one that writes to its own file in `folder`.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written.
    pub fn in_folder(folder: &Path) -> io::Result<RawSync> {
        let block = vec![0xA5; 64 << 10];
        let file = File::create_new(folder.join("raw-sync"))?;
        for at in (0..SIZE).step_by(block.len()) {
            file.write_all_at(&block, at as u64)?;
        }
        file.sync_all()?;
        Ok(RawSync { file, block, at: 0 })
    }

    /// Writes and syncs `times` times.
    ///
    /// # Errors
    ///
    /// Fails when the disk does.
    pub fn run(&mut self, times: usize) -> io::Result<()> {
        for _ in 0..times {
            self.file.write_all_at(&self.block, self.at as u64)?;
            self.file.sync_data()?;
            self.at = (self.at + self.block.len()) % SIZE;
        }
        Ok(())
    }
}

/// Returns the size of a file in bytes, or 0 if it does not exist.
pub fn file_size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}
