//! The contacts in a file.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::SeedContact;

/// Why the sandbox cannot read a contacts file.
#[derive(Debug, Error)]
pub(crate) enum ContactsError {
    #[error("cannot read the contacts in {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: the file is empty; {LIST}", path.display())]
    Empty { path: PathBuf },
    #[error(
        "{}: this is one contact, not a list: put it in [ and ], with commas between contacts",
        path.display()
    )]
    NoList { path: PathBuf },
    /// The cause has the line and column.
    #[error("{}: {place}{cause}; {LIST}", path.display())]
    Parse { path: PathBuf, place: String, cause: serde_json::Error },
}

/// The right form of a file.
const LIST: &str = r#"write a list such as [{"user_id": "42"}]"#;

/// The form that `GET /_sandbox/contacts` answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    contacts: Vec<SeedContact>,
    #[serde(default, rename = "total")]
    _total: Option<usize>,
}

/// Reads an array of contacts, or the admin API's list.
pub(crate) fn read(path: &Path) -> Result<Vec<SeedContact>, ContactsError> {
    let file = || path.to_owned();
    let text = fs::read_to_string(path).map_err(|error| {
        let source = match error.kind() {
            io::ErrorKind::IsADirectory => {
                io::Error::new(error.kind(), "a folder, not a file: name a file in it")
            }
            io::ErrorKind::InvalidData => {
                io::Error::new(error.kind(), "not UTF-8: save the file in that encoding")
            }
            _ => error,
        };
        ContactsError::Read { path: file(), source }
    })?;
    // Some editors begin a file with a byte order mark, which JSON does not allow.
    let text = text.trim_start_matches('\u{feff}');
    match text.trim_start().as_bytes() {
        [] => Err(ContactsError::Empty { path: file() }),
        [b'{', ..] if begins_as_a_contact(text) => Err(ContactsError::NoList { path: file() }),
        [b'{', ..] => parse::<FileEntry>(path, text).map(|listed| listed.contacts),
        _ => parse(path, text),
    }
}

fn begins_as_a_contact(text: &str) -> bool {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Map<String, Value>>();
    let Some(Ok(first)) = values.next() else { return false };
    ["user_id", "email", "id"].into_iter().any(|identifier| first.contains_key(identifier))
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ContactsError> {
    let error = |place: String, cause| ContactsError::Parse { path: path.to_owned(), place, cause };
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|wrong| {
        let place = match wrong.path().to_string() {
            root if root == "." => String::new(),
            place => format!("{place}: "),
        };
        error(place, wrong.into_inner())
    })?;
    json.end().map_err(|cause| error(String::new(), cause))?;
    Ok(value)
}
