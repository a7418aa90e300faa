//! A sandbox, and a user's folder with a configuration for it.

use std::fs;
use std::path::Path;

use intercom_sandbox::{Fault, Sandbox, SeedContact};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The sandbox and the folder for a program.
pub(crate) struct Setup {
    pub(crate) sandbox: Sandbox,
    pub(crate) home: TempDir,
    pub(crate) runtime: Runtime,
}

impl Setup {
    /// Starts a sandbox with these faults. It knows two contacts.
    pub(crate) fn new(faults: &[&str]) -> Self {
        let runtime = Runtime::new().unwrap();
        let sandbox = Sandbox::builder()
            .contact(SeedContact::user_id("42"))
            .contact(SeedContact::email("ada@example.com"));
        let sandbox = runtime.block_on(sandbox.start()).unwrap();
        for fault in faults {
            sandbox.inject(fault.parse::<Fault>().unwrap());
        }
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("intercom");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("token"), sandbox.token()).unwrap();
        let url = sandbox.url();
        let profile = format!(
            "profile = \"sandbox\"\n[profiles.sandbox]\nbase_url = \"{url}\"\n\
             token_file = \"token\"\n"
        );
        fs::write(folder.join("config.toml"), profile).unwrap();
        Setup { sandbox, home, runtime }
    }

    /// Returns the folder of the user's files.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }
}
