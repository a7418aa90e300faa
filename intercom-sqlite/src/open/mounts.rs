//! Refuses places where SQLite cannot keep a file safe, by Linux's mount table.

use std::fs;
use std::path::Path;

use crate::error::OpenError;

/// File systems that several machines can share, or a machine and its guests. Their locks are
/// unreliable, and processes that open a file there may not share memory.
const SHARED: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ceph",
    "afs",
    "coda",
    "ncpfs",
    "9p",
    "lustre",
    "gpfs",
    "gfs2",
    "ocfs2",
    "beegfs",
    "orangefs", // Folders of the host in a virtual machine or a container.
    "virtiofs",
    "vboxsf",
    "vmhgfs",
    "prl_fs",
    "drvfs",
    "osxfs",
    "fakeowner",
    "grpcfuse",
];

/// FUSE file systems on a local disk. Any other may be on another machine.
const LOCAL_FUSE: &[&str] = &[
    "bindfs",
    "cryfs",
    "encfs",
    "exfat",
    "fuse-overlayfs",
    "gocryptfs",
    "mergerfs",
    "ntfs-3g",
    "securefs",
    "unionfs",
    "veracrypt",
    "zfs",
];

/// Fails when the file is on a shared file system, or is itself a mount point.
///
/// If a single file is mounted into a container, its WAL and lock stay in the container, and are
/// lost with it.
pub(super) fn refuse(path: &Path) -> Result<(), OpenError> {
    // Other systems have no such table, and no check.
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let path = path.to_owned();
    match covering(&String::from_utf8_lossy(&table), &path) {
        Some((_, true)) => Err(OpenError::MountPoint { path }),
        Some((kind, _)) if is_shared(kind) => {
            Err(OpenError::SharedFileSystem { path, kind: kind.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Returns the file system type of a file, and whether the file is its mount point.
fn covering<'t>(table: &'t str, path: &Path) -> Option<(&'t str, bool)> {
    let mut escaped = path.to_string_lossy().into_owned();
    for (byte, code) in [("\\", "\\134"), (" ", "\\040"), ("\t", "\\011"), ("\n", "\\012")] {
        escaped = escaped.replace(byte, code);
    }
    let mounts = table.lines().filter_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        Some((Path::new(mount.split(' ').nth(4)?), system.split(' ').next()?))
    });
    let covering = mounts.filter(|(point, _)| Path::new(&escaped).starts_with(point));
    // Of two mounts on one point, the later one hides the other.
    let (point, kind) = covering.max_by_key(|(point, _)| point.as_os_str().len())?;
    Some((kind, point == Path::new(&escaped)))
}

fn is_shared(kind: &str) -> bool {
    match kind.split_once('.') {
        _ if kind == "fuse" => true,
        Some(("fuse", system)) => !LOCAL_FUSE.contains(&system),
        _ => SHARED.contains(&kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv rw - nfs4 server:/srv rw,vers=4.2
31 30 8:1 /data /srv/local\\040disk rw master:7 - ext4 /dev/sda1 rw
32 22 0:50 / /host rw - virtiofs host rw
33 22 8:1 /elsewhere/events.db /app/events.db rw - ext4 /dev/sda1 rw
34 22 0:51 / /twice rw - ext4 /dev/sdb1 rw
35 34 0:52 / /twice rw - fuse.sshfs ada@example.com: rw
";

    #[test]
    fn the_mount_with_the_longest_name_counts_and_of_two_the_later_one() {
        let found = |path: &str| covering(TABLE, Path::new(path));
        assert_eq!(found("/var/events.db"), Some(("ext4", false)));
        assert_eq!(found("/srv/events.db"), Some(("nfs4", false)));
        assert_eq!(found("/srvs/events.db"), Some(("ext4", false)));
        assert_eq!(found("/srv/local disk/events.db"), Some(("ext4", false)));
        assert_eq!(found("/host/a/events.db"), Some(("virtiofs", false)));
        assert_eq!(found("/app/events.db"), Some(("ext4", true)));
        assert_eq!(found("/twice/events.db"), Some(("fuse.sshfs", false)));
        assert_eq!(covering("", Path::new("/events.db")), None);
    }

    #[test]
    fn shared_file_systems_are_known_and_local_ones_are_not_among_them() {
        for kind in
            ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "fuse.sshfs", "fuse", "fakeowner"]
        {
            assert!(is_shared(kind), "{kind}");
        }
        for kind in ["ext4", "tmpfs", "btrfs", "xfs", "overlay", "fuseblk", "fuse.gocryptfs"] {
            assert!(!is_shared(kind), "{kind}");
        }
    }
}
