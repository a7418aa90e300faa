//! What the disk itself can do, to hold durable figures against.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How large the file is that is written around and around.
const SIZE: usize = 16 << 20;

/// Writes 64 KiB and waits until they are on the disk, again and again, over blocks that the file has already.
///
/// That is what SQLite's log does once it has been filled for the first time, and it is the fastest that a file can be
/// made safe: where a file grows, the file system has to write down its new size too.
#[derive(Debug)]
pub struct RawSync {
    file: File,
    block: Vec<u8>,
    at: usize,
}

impl RawSync {
    /// One that writes to a file of its own in this folder.
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

    /// Writes, and waits for the disk, so many times.
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

/// How many bytes a file has; none, where there is none.
pub fn file_size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}
