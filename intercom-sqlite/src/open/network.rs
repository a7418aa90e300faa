//! Refuses file systems on which SQLite cannot keep a file safe.

use std::path::Path;

use crate::error::OpenError;

/// Refuses a file system that several machines can share: its locks cannot be relied on, and its
/// machines share no memory.
///
/// FUSE may pass, because most of it is local: folders of a container's host, encrypted disks.
#[cfg(target_os = "linux")]
pub(super) fn refuse(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let Ok(told) = nix::sys::statfs::statfs(folder) else { return Ok(()) };
    // The number has another type on other machines.
    #[allow(clippy::unnecessary_cast, reason = "its type depends on the machine")]
    let magic = told.filesystem_type().0 as u32;
    match shared_kind(magic) {
        Some(kind) => Err(OpenError::NetworkFileSystem { path: path.to_owned(), kind }),
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn refuse(_: &Path) -> Result<(), OpenError> {
    Ok(())
}

/// Returns which shared file system this number of `statfs` stands for, if it is one.
#[cfg(target_os = "linux")]
fn shared_kind(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        0x00C3_6400 => "Ceph",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x564C => "NCP",
        0x0102_1997 => "9P",
        0x0BD0_0BD0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x0116_1970 => "GFS2",
        0x7461_636F => "OCFS2",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn shared_file_systems_are_known_and_local_ones_are_not_among_them() {
        assert_eq!(shared_kind(0x6969), Some("NFS"));
        assert_eq!(shared_kind(0xFF53_4D42), Some("SMB"));
        assert_eq!(shared_kind(0xFE53_4D42), Some("SMB"));
        // ext4, tmpfs, btrfs, XFS, overlayfs, FUSE.
        for local in [0xEF53, 0x0102_1994, 0x9123_683E, 0x5846_5342, 0x794C_7630, 0x6573_5546] {
            assert_eq!(shared_kind(local), None);
        }
    }
}
