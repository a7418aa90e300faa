//! Reserves disk space for deliveries, in a file beside the outbox.
//!
//! On a full disk, the outbox must still store deliveries. That needs room in the WAL, which has
//! room once it is checkpointed. So the reserve holds what that checkpoint will add to the file,
//! and a little for the WAL itself. Without a reserve, the outbox accepts no event. On a full disk,
//! the outbox frees the reserve for deliveries, or for a process that starts to deliver.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::lock::beside;
use super::path::private;
use crate::error::Fault;

/// The part of the reserve for the WAL: 1 MiB.
const FOR_WAL: u64 = 1 << 20;

/// The file that occupies the space.
pub(crate) struct Reserve {
    outbox: PathBuf,
    file: Option<File>,
}

impl Reserve {
    pub(crate) fn of(outbox: &Path) -> Self {
        Reserve { outbox: outbox.to_owned(), file: None }
    }

    /// Reserves what this transaction and the WAL add to the file, unless that is reserved already.
    ///
    /// # Errors
    ///
    /// Fails when the disk is full. Other failures do not keep the outbox from accepting.
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
                // Frees a partial reserve for others.
                file.set_len(held)?;
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    /// Frees what a checkpointed WAL does not need.
    pub(crate) fn shrink(&mut self) {
        if let Ok(file) = self.file()
            && file.metadata().is_ok_and(|file| file.len() > FOR_WAL)
        {
            let _ = file.set_len(FOR_WAL);
        }
    }

    /// Frees the whole reserve. Returns whether there was any.
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

/// Allocates the space from one length to another.
#[cfg(target_os = "linux")]
fn allocate(file: &File, from: u64, to: u64) -> io::Result<()> {
    let [from, length] = [from, to - from].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    Ok(nix::fcntl::posix_fallocate(file, from, length)?)
}

/// Allocates the space from one length to another.
#[cfg(not(target_os = "linux"))]
fn allocate(mut file: &File, from: u64, to: u64) -> io::Result<()> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(from))?;
    io::copy(&mut io::Read::take(io::repeat(0xA5), to - from), &mut file).map(drop)
}
