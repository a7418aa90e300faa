//! Reads the file that `--lock` names.

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::EventsLock;

pub(super) fn read(path: &Path) -> Result<EventsLock, Box<dyn Error>> {
    let shown = path.display();
    let text =
        fs::read_to_string(path).map_err(|error| format!("cannot read --lock {shown}: {error}"))?;
    EventsLock::parse(&text).map_err(|error| format!("--lock {shown}: {error}").into())
}
