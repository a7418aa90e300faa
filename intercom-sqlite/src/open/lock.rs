//! The file beside the outbox: the lock of the process that delivers, and a note about the WAL.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::path::private;

/// How long a process waits before it tries the lock again that another holds.
pub(crate) const RETRY: Duration = Duration::from_millis(100);

/// Keeps all others from delivering while it lives.
///
/// It is an advisory lock on a file handle of its own. The operating system arbitrates it between
/// processes and within one, and releases it when the process ends, however that ends. The lock file
/// stays: if it were removed, two processes could each lock a file of that name.
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock, unless another holds it.
    pub(crate) fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = private(&mut options).open(beside(path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock, or waits for it until the timeout.
    pub(super) fn take(path: &Path, timeout: Duration) -> io::Result<Option<Self>> {
        let began = Instant::now();
        loop {
            match Lock::try_take(path)? {
                None if began.elapsed() < timeout => {
                    thread::sleep(RETRY.min(timeout - began.elapsed()));
                }
                taken => return Ok(taken),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child that this process is just starting has the handle too.
        let _ = self.0.unlock();
    }
}

/// One end of a lock with two ends. Dropping either one releases it: the end of the engine's tenure, or
/// that of its leases, which a release drops.
pub(crate) struct LockEnd(Arc<Mutex<Option<Lock>>>);

impl LockEnd {
    pub(crate) fn pair(lock: Lock) -> (Self, Self) {
        let shared = Arc::new(Mutex::new(Some(lock)));
        (LockEnd(shared.clone()), LockEnd(shared))
    }
}

impl Drop for LockEnd {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// What the lock file says while the WAL must be read afresh.
const STALE: &[u8] = b"A checkpoint failed: the WAL must be read afresh.\n";

/// Notes for all processes that the WAL must be read afresh before the next checkpoint.
///
/// The note is in the page cache at least, and so lives as long as the shared memory of the WAL: a
/// crash of the machine ends both.
pub(crate) fn note_stale_wal(path: &Path) -> io::Result<()> {
    fs::write(beside(path), STALE)
}

/// Removes that note, if it is there.
pub(crate) fn clear_stale_wal(path: &Path) -> io::Result<()> {
    if is_wal_stale(path) { fs::write(beside(path), []) } else { Ok(()) }
}

/// Returns whether that note is there.
pub(crate) fn is_wal_stale(path: &Path) -> bool {
    fs::read(beside(path)).is_ok_and(|note| note.starts_with(STALE))
}

pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push("-lock");
    name.into()
}
