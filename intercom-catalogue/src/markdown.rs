//! Writes the documentation of the events, and checks it in a file.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use intercom_core::Role;

use crate::plan::{Plan, PlannedEvent, summary};

const BEGIN: &str = "<!-- events -->";
const END: &str = "<!-- /events -->";

/// The environment variable that makes the check write the file.
const UPDATE: &str = "UPDATE_EVENTS_LOCK";

/// The reason that a Markdown file does not document the events.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum MarkdownError {
    /// Reading or writing the file failed.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        error: io::Error,
    },
    /// The file's documentation differs from the events.
    #[error("{} does not match the events: write it with `{UPDATE}=1 cargo test`, and commit it", .0.display())]
    Outdated(PathBuf),
    /// The text has no place for the events, or several.
    #[error(
        "the text needs one line `{BEGIN}`, and one line `{END}` after it, for the events between \
         them"
    )]
    MissingMarkers,
}

/// A test that returns this error prints its `Debug`, so `Debug` is the error's sentence.
impl fmt::Debug for MarkdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Plan {
    /// Returns the documentation of the events, in Markdown: a section for each event, with a table
    /// of its keys.
    pub fn to_markdown(&self) -> String {
        let mut out = String::new();
        if !self.doc.is_empty() {
            let _ = writeln!(out, "{}\n", self.doc);
        }
        for (at, event) in self.events.iter().enumerate() {
            if at > 0 {
                out.push('\n');
            }
            section(event, &mut out);
        }
        out
    }

    /// Returns the text with the documentation between its lines `<!-- events -->` and `<!--
    /// /events -->`.
    ///
    /// # Errors
    ///
    /// Fails when the text does not have each of these lines once, in this order.
    pub fn update_markdown(&self, text: &str) -> Result<String, MarkdownError> {
        let line = |marker: &str| {
            let mut at = 0;
            let mut found = text.split_inclusive('\n').filter_map(|line| {
                let start = at;
                at += line.len();
                (line.trim_end() == marker).then_some((start, at))
            });
            found.next().filter(|_| found.next().is_none())
        };
        match (line(BEGIN), line(END)) {
            (Some((_, begin)), Some((end, _))) if begin <= end => {
                Ok(format!("{}\n{}\n{}", &text[..begin], self.to_markdown(), &text[end..]))
            }
            _ => Err(MarkdownError::MissingMarkers),
        }
    }

    /// Asserts that a Markdown file documents the events between `<!-- events -->` and `<!--
    /// /events -->`.
    ///
    /// With `UPDATE_EVENTS_LOCK=1` in the environment, this writes the documentation instead. In CI
    /// (with the environment variable `CI`) this never writes. In a test, a relative path starts at
    /// the crate's folder.
    ///
    /// # Panics
    ///
    /// Panics when the documentation differs, or the file does not have each of these lines once.
    /// Panics when reading or writing the file fails.
    #[track_caller]
    pub fn assert_markdown(&self, path: impl AsRef<Path>) {
        let is_set = |name| {
            env::var_os(name)
                .is_some_and(|value| !value.is_empty() && value != "0" && value != "false")
        };
        let path = path.as_ref();
        let update = is_set(UPDATE) && !is_set("CI");
        if let Err(error) = self.check_markdown(path, update) {
            panic!("{error}");
        }
    }

    fn check_markdown(&self, path: &Path, update: bool) -> Result<(), MarkdownError> {
        let failed = |error| MarkdownError::Io { path: path.into(), error };
        let text = fs::read_to_string(path).map_err(failed)?;
        let updated = self.update_markdown(&text)?;
        match (text == updated, update) {
            (true, _) => Ok(()),
            (false, true) => fs::write(path, updated).map_err(failed),
            (false, false) => Err(MarkdownError::Outdated(path.into())),
        }
    }
}

fn section(event: &PlannedEvent, out: &mut String) {
    let _ = writeln!(out, "### `{}`\n", event.name);
    if !event.doc.is_empty() {
        let _ = writeln!(out, "{}\n", event.doc);
    }
    let contact: Vec<_> = event.roles.iter().filter_map(|role| contact(*role)).collect();
    match &contact[..] {
        [] => out.push_str("The caller chooses its contact."),
        contact => {
            let _ = write!(out, "Its contact comes from {}.", contact.join(" and "));
        }
    }
    if event.roles.contains(&Role::CreatedAt) {
        out.push_str(" It has a time of its own.");
    }
    if !event.also.is_empty() {
        let also: Vec<_> = event.also.iter().map(|name| format!("`{name}`")).collect();
        let _ = write!(out, " It can send {} too.", also.join(" and "));
    }
    if let Some(was) = &event.was {
        let _ = write!(out, " It was `{was}` before.");
    }
    out.push('\n');
    if event.keys.is_empty() {
        return;
    }
    out.push_str("\n| key | kind | meaning |\n|---|---|---|\n");
    for key in &event.keys {
        let mut kind = key.kind.as_str().replace('_', " ");
        if !key.texts.is_empty() {
            let texts: Vec<_> = key.texts.iter().map(|text| format!("`{}`", cell(text))).collect();
            kind = format!("one of {}", texts.join(" "));
        }
        for (mark, word) in [
            (key.optional, "optional"),
            (key.truncated, "cut at 255 characters"),
            (key.sensitive, "sensitive"),
        ] {
            if mark {
                kind.push_str(", ");
                kind.push_str(word);
            }
        }
        let _ = writeln!(out, "| `{}` | {kind} | {} |", cell(&key.key), cell(&summary(&key.doc)));
    }
}

fn contact(role: Role) -> Option<&'static str> {
    match role {
        Role::UserId => Some("its user id"),
        Role::Email => Some("its email address"),
        Role::ContactId => Some("Intercom's id"),
        _ => None,
    }
}

/// Escapes the text for a table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
