//! Finds PostgreSQL's programs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::Error;

/// Returns the folder of PostgreSQL's programs: `PGBIN`, the newest of Debian's folders, or one in
/// the search path.
///
/// # Errors
///
/// Fails when there is none, and names the package to install.
pub fn programs() -> Result<PathBuf, Error> {
    let named = env::var_os("PGBIN").map(PathBuf::from);
    let searched = env::var_os("PATH");
    let searched = searched.iter().flat_map(env::split_paths);
    let all = named.into_iter().chain(of_debian()).chain(searched);
    let mut found =
        all.filter(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file()));
    found.next().ok_or_else(|| {
        Error(
            "PostgreSQL is not installed, and these tests start a server; install it with \
             `apt-get install postgresql`, or set PGBIN to the folder of `initdb`"
                .to_owned(),
        )
    })
}

/// The folders of Debian's packages, the newest version first.
fn of_debian() -> Vec<PathBuf> {
    let versions = fs::read_dir(Path::new("/usr/lib/postgresql")).into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())))
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, path)| path.join("bin")).collect()
}
