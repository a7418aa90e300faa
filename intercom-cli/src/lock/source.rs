//! Reads a lock from a file, or from a file at a revision of git.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use intercom_catalogue::Lock;

use crate::exit::Exit;
use crate::failure::Failure;

/// A parsed lock, with its text.
pub(crate) struct ParsedLock {
    /// Its name in messages.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) lock: Lock,
}

impl ParsedLock {
    /// Reads a lock from `FILE`, from `REV:PATH`, or from `git:REV`: the file of the name `like` at
    /// the merge base of HEAD and REV.
    ///
    /// Returns `None` if the revision has no such file.
    ///
    /// # Errors
    ///
    /// Fails when a file cannot be read or is not a lock, and when git does not know the revision.
    pub(crate) fn find(place: &str, like: &Path) -> Result<Option<Self>, Failure> {
        if let Some(revision) = place.strip_prefix("git:") {
            let base = merge_base(revision)?;
            // `./` is relative to the current folder, not to the top of the repository.
            let path = format!("./{}", like.display());
            let name = format!("{} at {revision}", like.display());
            return show(&base, &path).and_then(|text| Self::parse(name, text));
        }
        match place.split_once(':') {
            Some((revision, path)) if !Path::new(place).exists() => {
                let revision = commit(revision)?;
                show(&revision, path).and_then(|text| Self::parse(place.to_owned(), text))
            }
            _ => {
                let text = fs::read_to_string(place)
                    .map_err(|error| Failure::file(format!("cannot read {place}"), &error))?;
                Self::parse(place.to_owned(), Some(text))
            }
        }
    }

    /// Reads a lock that must exist.
    ///
    /// # Errors
    ///
    /// Fails as [`find`](Self::find) does, when there is no lock, and when it has no event.
    pub(crate) fn expect(place: &str, like: &Path) -> Result<Self, Failure> {
        let read = Self::find(place, like)?;
        let read = read.ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                "no_lock",
                format!("{place} does not exist; correct the path"),
            )
        })?;
        if read.lock.plan().events().is_empty() {
            let message = format!(
                "{} has no event, so a check of it checks nothing; \
                 write the lock with the test of your catalogue",
                read.name
            );
            return Err(Failure::new(Exit::Failed, "no_lock", message));
        }
        Ok(read)
    }

    fn parse(name: String, text: Option<String>) -> Result<Option<Self>, Failure> {
        let Some(text) = text else { return Ok(None) };
        match Lock::parse(&text) {
            Ok(lock) => Ok(Some(ParsedLock { name, text, lock })),
            Err(error) => {
                Err(Failure::new(Exit::Failed, "no_lock", format!("{name} is not a lock: {error}")))
            }
        }
    }
}

/// Returns the merge base of HEAD and this revision.
fn merge_base(revision: &str) -> Result<String, Failure> {
    let commit = commit(revision)?;
    let output = git(&["merge-base", &commit, "HEAD"])?;
    if !output.status.success() {
        let message = format!(
            "git finds no common commit of HEAD and {revision}; fetch more of the history, or use \
             REV:PATH"
        );
        return Err(Failure::new(Exit::Failed, "git", message));
    }
    Ok(first_line(&output.stdout))
}

/// Returns the commit that a revision names.
fn commit(revision: &str) -> Result<String, Failure> {
    let name = format!("{revision}^{{commit}}");
    let output = git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name])?;
    if !output.status.success() {
        let message = format!(
            "git does not know the revision `{}`; fetch it, or correct the name",
            revision.escape_debug()
        );
        return Err(Failure::new(Exit::Failed, "git", message));
    }
    Ok(first_line(&output.stdout))
}

/// Returns a file at a commit, if it exists there.
fn show(commit: &str, path: &str) -> Result<Option<String>, Failure> {
    let name = format!("{commit}:{path}");
    if !git(&["cat-file", "-e", &name])?.status.success() {
        return Ok(None);
    }
    let output = git(&["cat-file", "blob", &name])?;
    match output.status.success() {
        true => Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned())),
        false => {
            let error = first_line(&output.stderr);
            Err(Failure::new(Exit::Failed, "git", format!("git cannot show {path}: {error}")))
        }
    }
}

fn git(arguments: &[&str]) -> Result<Output, Failure> {
    let output = Command::new("git").args(arguments).output();
    output.map_err(|error| {
        Failure::new(Exit::Failed, "git", format!("cannot run git: {error}; install it"))
    })
}

fn first_line(output: &[u8]) -> String {
    String::from_utf8_lossy(output).lines().next().unwrap_or_default().to_owned()
}
