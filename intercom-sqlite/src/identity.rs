//! Whether the file is still where it was opened: what is put into one that was deleted, nobody finds again.

use std::path::Path;

/// Which file it is that has a name, in the eyes of the operating system. `None` where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(Option<(u64, u64)>);

impl Identity {
    /// It takes less than a microsecond, because the answer is in memory.
    #[cfg(unix)]
    pub(crate) fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt as _;

        Identity(path.metadata().ok().map(|file| (file.dev(), file.ino())))
    }

    /// A file that is open keeps its name here.
    #[cfg(not(unix))]
    pub(crate) fn of(_: &Path) -> Self {
        Identity(None)
    }
}
