//! The files beside the outbox: the lock of the process that delivers, and a note about the WAL.
//!
//! The lock only elects the deliverer. Safety does not depend on it: each write compares the epoch
//! in the file.
//!
//! About once a second, the deliverer writes its epoch and event counts into the lock file. A
//! restored backup has lower ones. Its next epoch is above both, and the log says so.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::path::private;

/// The wait between attempts to take a lock that another process holds.
pub(crate) const RETRY: Duration = Duration::from_millis(100);

/// A file's generation: its epoch, and its numbers of accepted and delivered events. None of them
/// ever falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(pub(crate) [i64; 3]);

impl Generation {
    /// Returns whether this generation is earlier.
    pub(crate) fn is_before(self, other: Generation) -> bool {
        self.0.into_iter().zip(other.0).any(|(mine, theirs)| mine < theirs)
    }
}

/// Keeps all other processes from delivering while it lives.
///
/// It is an advisory lock on its own file handle. The operating system arbitrates it between and
/// within processes, and releases it when the process ends for any reason. The lock file stays:
/// after a removal, two processes could each lock a file of that name.
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock, unless another process holds it.
    pub(crate) fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = private(&mut options).open(beside(path, "-lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Returns whether a process holds the lock. Makes no lock file: without one, no process has delivered from here.
    pub(crate) fn is_held(path: &Path) -> io::Result<bool> {
        let file = match File::open(beside(path, "-lock")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        // Shared, so that several tools may ask at once.
        match file.try_lock_shared() {
            Ok(()) => file.unlock().map(|()| false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock, and waits up to the timeout.
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

    /// Returns the generation in the last note.
    pub(crate) fn generation(&mut self) -> Option<Generation> {
        let mut text = String::new();
        self.0.rewind().and_then(|()| self.0.read_to_string(&mut text)).ok()?;
        let numbers =
            text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok());
        numbers.collect::<Vec<_>>().try_into().map(Generation).ok()
    }

    /// Writes the generation, for people and to detect a restored backup. The note is not synced,
    /// so after a power cut it is never ahead of the file.
    fn note(&mut self, Generation([epoch, accepted, delivered]): Generation) -> io::Result<()> {
        let text = format!("epoch {epoch}: {accepted} accepted, {delivered} delivered\n");
        self.0.rewind()?;
        self.0.write_all(text.as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing does not suffice: a child process that is starting has the handle too.
        let _ = self.0.unlock();
    }
}

/// One of a lock's two ends. Dropping either end releases the lock: one at the end of the engine's
/// tenure, one at the end of its leases.
pub(crate) struct LockEnd(Arc<Mutex<Option<Lock>>>);

impl LockEnd {
    pub(crate) fn pair(lock: Lock) -> (Self, Self) {
        let shared = Arc::new(Mutex::new(Some(lock)));
        (LockEnd(shared.clone()), LockEnd(shared))
    }

    /// Writes the generation, and ignores failures.
    pub(crate) fn note(&self, generation: Generation) {
        let mut lock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = lock.as_mut().map(|lock| lock.note(generation));
    }
}

impl Drop for LockEnd {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Notes for all processes that the WAL must be read afresh before the next checkpoint.
///
/// The note is at least in the page cache. So it lives as long as the WAL's shared memory: a
/// machine crash ends both.
pub(crate) fn note_stale_wal(path: &Path) -> io::Result<()> {
    File::create(beside(path, "-stale")).map(drop)
}

/// Removes that note, if it exists.
pub(crate) fn clear_stale_wal(path: &Path) -> io::Result<()> {
    if is_wal_stale(path) { fs::remove_file(beside(path, "-stale")) } else { Ok(()) }
}

/// Returns whether that note exists.
pub(crate) fn is_wal_stale(path: &Path) -> bool {
    beside(path, "-stale").exists()
}

/// Returns the name of a file beside the outbox.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
