//! File systems for one test, unmounted and removed after it, however the test ends.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A mounted file system.
pub(crate) struct Disk {
    /// Its mount point, and for ext4 also its image.
    folder: TempDir,
    image: Option<PathBuf>,
    mounted: bool,
}

impl Disk {
    /// Mounts an ext4 of `mebibytes` MiB, in a file within `within`.
    pub(crate) fn ext4(within: &Path, mebibytes: u64) -> Result<Disk, String> {
        let image = within.join("image");
        let file = fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(mebibytes << 20).map_err(|error| error.to_string())?;
        // The file system writes all of its metadata now.
        let settings = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
        command("mkfs.ext4", &["-q", "-F", "-E", settings, text(&image)])?;
        let mut disk = Disk { folder: folder()?, image: Some(image), mounted: false };
        disk.mount()?;
        Ok(disk)
    }

    /// Mounts an ext4 of `mebibytes` MiB whose metadata is allocated on this disk. Later writes fit
    /// only while the disk has room.
    pub(crate) fn thin_ext4(under: &Disk, mebibytes: u64) -> Result<Disk, String> {
        let disk = Disk::ext4(under.folder(), mebibytes)?;
        let image = under.folder().join("image");
        command("fallocate", &["-l", &format!("{mebibytes}MiB"), text(&image)])?;
        command("fstrim", &[text(disk.folder())])?;
        Ok(disk)
    }

    /// Mounts a file system in memory, of `kibibytes` KiB.
    pub(crate) fn in_memory(kibibytes: u64) -> Result<Disk, String> {
        need_root()?;
        let folder = folder()?;
        let size = format!("size={kibibytes}k");
        command("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", text(folder.path())])?;
        Ok(Disk { folder, image: None, mounted: true })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Cuts the power: no further write reaches the disk, neither unsynced data nor the file
    /// system's own journal.
    pub(crate) fn cut_power(&self) {
        command("xfs_io", &["-x", "-c", "shutdown", text(self.folder())]).unwrap();
    }

    /// Mounts it again after a power cut. Its users must have ended.
    pub(crate) fn restart(&mut self) {
        self.unmount();
        self.mount().unwrap();
    }

    /// Fills the disk except for `but_for` bytes. Dropping the result frees the space again.
    pub(crate) fn fill(&self, but_for: u64) -> Filling {
        let path = self.folder().join("filling");
        let mut file = fs::File::create(&path).unwrap();
        let mut size = 0;
        while let Ok(written) = file.write(&[0xFF; 4096]) {
            size += written as u64;
        }
        file.set_len(size.saturating_sub(but_for)).unwrap();
        // Delayed allocation makes the free space uncertain before a sync.
        let _ = file.sync_all();
        Filling { path }
    }

    /// Removes all files.
    pub(crate) fn clear(&self) {
        for file in fs::read_dir(self.folder()).unwrap().map(Result::unwrap) {
            if file.file_type().unwrap().is_file() {
                fs::remove_file(file.path()).unwrap();
            }
        }
    }

    /// Returns the free bytes.
    pub(crate) fn free(&self) -> u64 {
        let found = nix::sys::statvfs::statvfs(self.folder()).unwrap();
        found.blocks_available() * found.fragment_size()
    }

    /// Mounts one of its files on itself, as a container mounts a single file.
    pub(crate) fn mount_file(&self, path: &Path) -> Result<MountedFile, String> {
        command("mount", &["--bind", text(path), text(path)])?;
        Ok(MountedFile(path.to_owned()))
    }

    pub(crate) fn make_read_only(&self) {
        command("mount", &["-o", "remount,ro", text(self.folder())]).unwrap();
    }

    fn mount(&mut self) -> Result<(), String> {
        need_root()?;
        if let Some(image) = &self.image {
            // The kernel frees the loop device at the unmount.
            command("mount", &["-o", "loop", text(image), text(self.folder.path())])?;
            self.mounted = true;
        }
        Ok(())
    }

    fn unmount(&mut self) {
        if std::mem::take(&mut self.mounted) {
            command("umount", &[text(self.folder.path())]).unwrap();
        }
    }
}

/// A file that is a mount point.
pub(crate) struct MountedFile(PathBuf);

impl Drop for MountedFile {
    fn drop(&mut self) {
        command("umount", &[text(&self.0)]).unwrap();
    }
}

/// The file that fills a disk.
pub(crate) struct Filling {
    path: PathBuf,
}

impl Drop for Filling {
    fn drop(&mut self) {
        fs::remove_file(&self.path).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazy, because something may still use it.
        if self.mounted
            && let Err(error) = command("umount", &["-l", text(self.folder.path())])
        {
            eprintln!("{} is still mounted: {error}", self.folder.path().display());
        }
    }
}

fn need_root() -> Result<(), String> {
    match nix::unistd::geteuid().is_root() {
        true => Ok(()),
        false => Err("only root can mount".to_owned()),
    }
}

fn folder() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(|error| error.to_string())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs another program.
fn command(program: &str, arguments: &[&str]) -> Result<(), String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(format!("{program}: {said}"))
        }
        Err(error) => Err(format!("{program}: {error}")),
    }
}
