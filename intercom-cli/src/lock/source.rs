//! Where a lock is: a file, or a file at a revision of git.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use intercom_catalogue::Lock;

use crate::exit::Exit;
use crate::failure::Failure;

/// A parsed lock, with its text.
pub(crate) struct Read {
    /// Its name in messages.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) lock: Lock,
}

impl Read {
    /// Reads a lock from `FILE`, from `REV:PATH`, or from `git:REV`: the file of the name `like`, where the present branch and
    /// REV part.
    ///
    /// Returns `None` where the revision has no such file.
    ///
    /// # Errors
    ///
    /// Fails when a file cannot be read or is no lock, and when git does not know the revision.
    pub(crate) fn find(place: &str, like: &Path) -> Result<Option<Self>, Failure> {
        if let Some(revision) = place.strip_prefix("git:") {
            let base = merge_base(revision)?;
            // `./` begins at the present folder, and not at the top of the repository.
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

    /// Reads a lock that has to be there.
    ///
    /// # Errors
    ///
    /// Fails as [`find`](Self::find) does, when there is none, and when it locks no event: a check of it checks nothing.
    pub(crate) fn expect(place: &str, like: &Path) -> Result<Self, Failure> {
        let read = Self::find(place, like)?;
        let read = read.ok_or_else(|| {
            Failure::new(Exit::Failed, "no_lock", format!("{place}: there is no such file"))
        })?;
        if read.lock.plan().events().is_empty() {
            let message = format!("{}: it locks no event, and checks nothing", read.name);
            return Err(Failure::new(Exit::Failed, "no_lock", message));
        }
        Ok(read)
    }

    fn parse(name: String, text: Option<String>) -> Result<Option<Self>, Failure> {
        let Some(text) = text else { return Ok(None) };
        match Lock::parse(&text) {
            Ok(lock) => Ok(Some(Read { name, text, lock })),
            Err(error) => {
                Err(Failure::new(Exit::Failed, "no_lock", format!("{name} is no lock: {error}")))
            }
        }
    }
}

/// Returns the commit at which the present branch and this revision part.
fn merge_base(revision: &str) -> Result<String, Failure> {
    let commit = commit(revision)?;
    let output = git(&["merge-base", &commit, "HEAD"])?;
    if !output.status.success() {
        let message = format!(
            "git finds no common commit of HEAD and {revision}; fetch more of the history, or name \
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
        let message = format!("git does not know the revision `{}`", revision.escape_debug());
        return Err(Failure::new(Exit::Failed, "git", message));
    }
    Ok(first_line(&output.stdout))
}

/// Returns a file at a commit, if it is there.
fn show(commit: &str, path: &str) -> Result<Option<String>, Failure> {
    let name = format!("{commit}:{path}");
    if !git(&["cat-file", "-e", &name])?.status.success() {
        return Ok(None);
    }
    let output = git(&["cat-file", "blob", &name])?;
    match output.status.success() {
        true => Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned())),
        false => {
            let said = first_line(&output.stderr);
            Err(Failure::new(Exit::Failed, "git", format!("git cannot show {path}: {said}")))
        }
    }
}

fn git(arguments: &[&str]) -> Result<Output, Failure> {
    let output = Command::new("git").args(arguments).output();
    output.map_err(|error| {
        Failure::new(Exit::Failed, "git", format!("git cannot be run: {error}; install it"))
    })
}

fn first_line(output: &[u8]) -> String {
    String::from_utf8_lossy(output).lines().next().unwrap_or_default().to_owned()
}
