//! Checks the file `events.lock` against a program, and writes it.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use crate::lock::{Lock, LockSyntaxError};
use crate::plan::Plan;
use crate::review::Review;

/// The environment variable that makes the check write the lock.
const UPDATE: &str = "UPDATE_EVENTS_LOCK";

const COMMAND: &str = "UPDATE_EVENTS_LOCK=1 cargo test";

/// The reason that a check of the lock fails.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The file does not exist.
    #[error("{} does not exist: write it with `{COMMAND}`, and commit it", .0.display())]
    Missing(PathBuf),
    /// Reading or writing the file failed.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        error: io::Error,
    },
    /// The file is not a lock.
    #[error("{}: {error}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The syntax error.
        error: LockSyntaxError,
    },
    /// The lock or the program has no event, so the check would be empty.
    #[error("{}: {reason}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What is empty, and the fix.
        reason: &'static str,
    },
    /// The lock lacks an allowance, or has one that matches no change.
    #[error(
        "{} does not allow these changes:\n\n{review}\nThen write the lock with `{COMMAND}`, and commit both", path.display()
    )]
    Blocked {
        /// The file.
        path: PathBuf,
        /// The changes.
        review: Box<Review>,
    },
    /// The lock allows the changes, but the file lacks them.
    #[error(
        "{} is not what the program sends:\n\n{review}\nWrite it with `{COMMAND}`, and commit it", path.display()
    )]
    Outdated {
        /// The file.
        path: PathBuf,
        /// The changes.
        review: Box<Review>,
    },
    /// Both `CI` and `UPDATE_EVENTS_LOCK` are set.
    #[error(
        "CI sets {UPDATE}, but only checks the lock: write the lock on your own machine, and \
         commit it"
    )]
    UpdateInCi,
}

/// A test that returns this error prints its `Debug`, so `Debug` is the error's sentence.
impl fmt::Debug for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The action on the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Check,
    Update,
}

impl Mode {
    /// Returns the action for the environment variables.
    fn of(update: Option<&OsStr>, ci: Option<&OsStr>) -> Result<Self, LockError> {
        let is_set = |value: Option<&OsStr>| {
            value.is_some_and(|value| !value.is_empty() && value != "0" && value != "false")
        };
        match (is_set(update), is_set(ci)) {
            (false, _) => Ok(Mode::Check),
            (true, false) => Ok(Mode::Update),
            (true, true) => Err(LockError::UpdateInCi),
        }
    }
}

impl Plan {
    /// Asserts that this file is the lock of these events. Call it in a test. There, a relative
    /// path starts at the crate's folder.
    ///
    /// With `UPDATE_EVENTS_LOCK=1` in the environment, this calls
    /// [`update_lock`](Self::update_lock) instead. In CI (with the environment variable `CI`) this
    /// never writes. Either variable counts as unset if it is empty, `0` or `false`.
    ///
    /// # Panics
    ///
    /// Panics when [`check_lock`](Self::check_lock) or `update_lock` fails, and when both variables
    /// are set. The message lists each change, its effect, its fix, and the command that writes the
    /// file.
    #[track_caller]
    pub fn assert_lock(&self, path: impl AsRef<Path>) {
        let mode = Mode::of(env::var_os(UPDATE).as_deref(), env::var_os("CI").as_deref());
        let held = mode.and_then(|mode| match mode {
            Mode::Check => self.check_lock(path),
            Mode::Update => self.update_lock(path),
        });
        if let Err(error) = held {
            panic!("{error}");
        }
    }

    /// Checks that this file is the lock of these events.
    ///
    /// # Errors
    ///
    /// Fails when the file does not exist, is not a lock, differs, or has an allowance that matches
    /// no change. Fails when the lock or the program has no event, and when reading the file fails.
    pub fn check_lock(&self, path: impl AsRef<Path>) -> Result<(), LockError> {
        let path = path.as_ref();
        self.expect_events(path)?;
        let lock = read(path)?.ok_or_else(|| LockError::Missing(path.into()))?;
        let review = Box::new(lock.review(self));
        let path = path.to_owned();
        if lock.plan.events.is_empty() {
            let reason =
                "the lock has no event, so it checks nothing: remove the file, and write it again";
            return Err(LockError::Empty { path, reason });
        }
        match (review.is_blocked(), review.is_current()) {
            (true, _) => Err(LockError::Blocked { path, review }),
            (false, false) => Err(LockError::Outdated { path, review }),
            (false, true) => Ok(()),
        }
    }

    /// Writes the lock of these events into this file. Without a change it writes nothing.
    ///
    /// # Errors
    ///
    /// Fails when a change lacks its allowance, or an allowance matches no change. Fails when the
    /// file is not a lock, the program has no event, or reading or writing the file fails.
    pub fn update_lock(&self, path: impl AsRef<Path>) -> Result<(), LockError> {
        let path = path.as_ref();
        self.expect_events(path)?;
        let Some(lock) = read(path)? else {
            return write(path, &self.lock());
        };
        let review = lock.review(self);
        if review.is_blocked() {
            return Err(LockError::Blocked { path: path.into(), review: Box::new(review) });
        }
        if review.is_current() {
            return Ok(());
        }
        write(path, review.updated_lock())
    }

    fn expect_events(&self, path: &Path) -> Result<(), LockError> {
        if !self.events.is_empty() {
            return Ok(());
        }
        let reason = "the catalogue has no event: add events to it";
        Err(LockError::Empty { path: path.into(), reason })
    }
}

fn read(path: &Path) -> Result<Option<Lock>, LockError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LockError::Io { path: path.into(), error }),
    };
    let lock = Lock::parse(&text);
    lock.map(Some).map_err(|error| LockError::Syntax { path: path.into(), error })
}

fn write(path: &Path, lock: &Lock) -> Result<(), LockError> {
    fs::write(path, lock.to_string()).map_err(|error| LockError::Io { path: path.into(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_written_on_request_and_never_in_ci() {
        let mode = |update: Option<&str>, ci: Option<&str>| {
            Mode::of(update.map(OsStr::new), ci.map(OsStr::new)).ok()
        };
        assert_eq!(mode(None, None), Some(Mode::Check));
        assert_eq!(mode(None, Some("true")), Some(Mode::Check));
        assert_eq!(mode(Some("1"), None), Some(Mode::Update));
        assert_eq!(mode(Some("1"), Some("false")), Some(Mode::Update));
        assert_eq!(mode(Some("0"), Some("true")), Some(Mode::Check));
        assert_eq!(mode(Some(""), None), Some(Mode::Check));
        assert_eq!(mode(Some("1"), Some("true")), None);
        assert_eq!(mode(Some("1"), Some("1")), None);
    }
}
