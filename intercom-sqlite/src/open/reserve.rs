//! Space that deliveries alone may use, in a file beside the outbox.
//!
//! A full disk must not keep an outbox from storing what it has delivered. That takes room in the WAL,
//! which has some once all of it is in the file. So as much is set aside as the file will grow by then,
//! and a little for the WAL itself. Where that cannot be set aside, no event is accepted. When the disk
//! is full, the space is given up for deliveries, or for a process that begins to deliver.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::lock::beside;
use super::path::private;
use crate::error::Fault;

/// How much is set aside for the WAL: 1 MiB.
const FOR_WAL: u64 = 1 << 20;

/// The file that takes up the space.
pub(crate) struct Reserve {
    outbox: PathBuf,
    file: Option<File>,
}

impl Reserve {
    pub(crate) fn of(outbox: &Path) -> Self {
        Reserve { outbox: outbox.to_owned(), file: None }
    }

    /// Sets aside what this transaction and the WAL add to the file, if that is not done yet.
    ///
    /// # Errors
    ///
    /// Fails when the disk has no room for it. Whatever else is in the way is no reason to accept
    /// nothing.
    pub(crate) fn hold(&mut self, transaction: &Connection) -> Result<(), Fault> {
        let of = |pragma| {
            let mut select = transaction.prepare_cached(pragma)?;
            select.query_row([], |row| row.get::<_, u32>(0)).map(u64::from)
        };
        let size = of("PRAGMA page_count")? * of("PRAGMA page_size")?;
        let there = fs::metadata(&self.outbox).map_or(0, |file| file.len());
        let wanted = FOR_WAL + size.saturating_sub(there).next_multiple_of(FOR_WAL);
        let Ok(file) = self.file() else { return Ok(()) };
        let held = file.metadata()?.len();
        if held >= wanted {
            return Ok(());
        }
        match allocate(file, held, wanted) {
            Err(error) if is_full(&error) => {
                // What of it there was is for others.
                file.set_len(held)?;
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    /// Gives back what is not needed while all of the WAL is in the file.
    pub(crate) fn shrink(&mut self) {
        if let Ok(file) = self.file()
            && file.metadata().is_ok_and(|file| file.len() > FOR_WAL)
        {
            let _ = file.set_len(FOR_WAL);
        }
    }

    /// Gives all of it up. Returns whether there was anything.
    pub(crate) fn give_up(&mut self) -> bool {
        let Ok(file) = self.file() else { return false };
        file.metadata().is_ok_and(|file| file.len() > 0) && file.set_len(0).is_ok()
    }

    fn file(&mut self) -> io::Result<&File> {
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false);
            self.file = Some(private(&mut options).open(beside(&self.outbox, "-reserve"))?);
        }
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Takes up the space from one length to another.
#[cfg(target_os = "linux")]
fn allocate(file: &File, from: u64, to: u64) -> io::Result<()> {
    let [from, length] = [from, to - from].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    Ok(nix::fcntl::posix_fallocate(file, from, length)?)
}

/// Takes up the space from one length to another.
#[cfg(not(target_os = "linux"))]
fn allocate(mut file: &File, from: u64, to: u64) -> io::Result<()> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(from))?;
    io::copy(&mut io::Read::take(io::repeat(0xA5), to - from), &mut file).map(drop)
}
