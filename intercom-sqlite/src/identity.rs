//! Whether the file still has its name. What is put into a deleted file, no start would find.

use std::path::Path;

/// Which file has a name. `None` inside: no file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(Option<(u64, u64)>);

impl Identity {
    /// Asks the operating system, whose answer comes from memory. Where a file cannot be deleted
    /// while it is open, all are the same.
    pub(crate) fn of(path: &Path) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        #[cfg(unix)]
        return Identity(path.metadata().ok().map(|file| (file.dev(), file.ino())));
        #[cfg(not(unix))]
        Identity(path.is_dir().then_some((0, 0)))
    }
}
