//! The contacts that a file tells.

use std::fs;
use std::path::{Path, PathBuf};

use intercom_sandbox::SeedContact;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Why a file tells no contacts.
#[derive(Debug, Error)]
pub(crate) enum ContactsError {
    #[error("cannot read the contacts in {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The cause tells line and column.
    #[error("{}: {place}{cause}", path.display())]
    Parse { path: PathBuf, place: String, cause: serde_json::Error },
}

/// What `GET /_sandbox/contacts` answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    contacts: Vec<SeedContact>,
}

/// Reads an array of contacts, or what the admin API lists.
pub(crate) fn read(path: &Path) -> Result<Vec<SeedContact>, ContactsError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ContactsError::Read { path: path.to_owned(), source })?;
    // Some editors begin a file with a byte order mark, which JSON does not know.
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        parse::<Listed>(path, text).map(|listed| listed.contacts)
    } else {
        parse(path, text)
    }
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
