//! File systems made for a test, and taken away after it, however it ends.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A file system that is mounted.
pub(crate) struct Disk {
    /// Where it is mounted, and for ext4 what is mounted.
    folder: TempDir,
    image: Option<PathBuf>,
    mounted: bool,
}

impl Disk {
    /// An ext4 of so many MiB, in a file within this folder.
    pub(crate) fn ext4(within: &Path, mebibytes: u64) -> Result<Disk, String> {
        let image = within.join("image");
        let file = fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(mebibytes << 20).map_err(|error| error.to_string())?;
        // All that it needs for itself is written now.
        let settings = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
        command("mkfs.ext4", &["-q", "-F", "-E", settings, text(&image)])?;
        let mut disk = Disk { folder: folder()?, image: Some(image), mounted: false };
        disk.mount()?;
        Ok(disk)
    }

    /// An ext4 of so many MiB that has room on this disk for what it needs for itself, and for nothing that is written
    /// later, unless the disk has.
    pub(crate) fn thin_ext4(under: &Disk, mebibytes: u64) -> Result<Disk, String> {
        let disk = Disk::ext4(under.folder(), mebibytes)?;
        let image = under.folder().join("image");
        command("fallocate", &["-l", &format!("{mebibytes}MiB"), text(&image)])?;
        command("fstrim", &[text(disk.folder())])?;
        Ok(disk)
    }

    /// A file system in memory, of so many KiB.
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

    /// What a power cut does: nothing more gets to the disk, neither what was written and not synced, nor what the
    /// file system has in its own journal.
    pub(crate) fn cut_power(&self) {
        command("xfs_io", &["-x", "-c", "shutdown", text(self.folder())]).unwrap();
    }

    /// Whoever used it must have ended.
    pub(crate) fn restart(&mut self) {
        self.unmount();
        self.mount().unwrap();
    }

    /// Fills it up, but for so many bytes. There is room again when what this gives is dropped.
    pub(crate) fn fill(&self, but_for: u64) -> Filling {
        let path = self.folder().join("filling");
        let mut file = fs::File::create(&path).unwrap();
        let mut size = 0;
        while let Ok(written) = file.write(&[0xFF; 4096]) {
            size += written as u64;
        }
        file.set_len(size.saturating_sub(but_for)).unwrap();
        // Only then is it certain what is taken.
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

    /// How many bytes are free.
    pub(crate) fn free(&self) -> u64 {
        let found = nix::sys::statvfs::statvfs(self.folder()).unwrap();
        found.blocks_available() * found.fragment_size()
    }

    /// Mounts a file in it on itself, as a container mounts a single file.
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
            // The loop device goes when it is unmounted.
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

/// What fills a disk.
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
        // Also where something still uses it: it goes when that ends.
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

/// Lets another program do it.
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
