//! The needs of a registry and of new users for each package: texts, licences, versions, and the
//! oldest Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

/// The features that need a newer Rust than their crate.
const NEWER_FEATURES: [(&str, &str); 1] = [("intercom-postgres", "sqlx-0_9")];

#[test]
fn each_package_can_be_published() {
    let workspace = &*WORKSPACE;
    let published = workspace.published();
    assert!(published.len() >= 9, "{published:?}");
    for package in &published {
        let name = text(package, "name");
        let folder = Path::new(text(package, "manifest_path")).parent().expect("a folder");

        assert!(
            name.starts_with("intercom-"),
            "{name}: an unpublished package needs `publish = false`"
        );
        assert!(
            !text(package, "description").ends_with('.'),
            "{name}: the description must not end with a full stop"
        );
        for key in ["license", "documentation", "readme", "rust_version"] {
            assert!(package[key].is_string(), "{name}: `{key}` is missing");
        }
        let count = |key: &str| package[key].as_array().map_or(0, Vec::len);
        assert!((3..=5).contains(&count("keywords")), "{name}: needs three to five keywords");
        assert!((1..=5).contains(&count("categories")), "{name}: needs one to five categories");

        let readme = fs::read_to_string(folder.join("README.md")).expect("a README");
        let lines = readme.lines().count();
        assert!((40..=120).contains(&lines), "{name}: its README has {lines} lines, not 40 to 120");
        if let Ok(library) = fs::read_to_string(folder.join("src/lib.rs")) {
            let includes = library.starts_with("#![doc = include_str!(\"../README.md\")]\n");
            assert!(includes, "{name}: its docs begin with its README");
        }
        for file in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let licence = fs::read_to_string(folder.join(file)).expect("a licence");
            assert!(licence.lines().count() > 10, "{name}: {file} must have the licence's text");
        }
    }
}

#[test]
fn a_published_package_names_the_versions_of_its_neighbours() {
    let workspace = &*WORKSPACE;
    let published: BTreeSet<_> =
        workspace.published().iter().map(|package| text(package, "name").to_owned()).collect();
    for package in workspace.published() {
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let (name, to) = (text(package, "name"), text(dependency, "name"));
            // `cargo package` removes a development dependency without a version.
            if dependency["path"].is_null() || dependency["kind"] == "dev" {
                continue;
            }
            assert!(published.contains(to), "{name} depends on {to}, which is not published");
            assert_ne!(
                text(dependency, "req"),
                "*",
                "{name}: {to} needs a version beside its path"
            );
            if (name, to) == ("intercom-core", "intercom-derive") {
                let version = format!("={}", text(package, "version"));
                assert_eq!(text(dependency, "req"), version, "the core must pin its derive");
            }
        }
    }
}

/// If core and derive have different versions, rustc does not find the private module, and its
/// error shows the version.
#[test]
fn the_derives_private_module_has_their_version() {
    let workspace = &*WORKSPACE;
    let packages = workspace.published();
    for (name, file) in [("intercom-core", "lib.rs"), ("intercom-derive", "expand.rs")] {
        let package =
            packages.iter().find(|package| text(package, "name") == name).expect("a crate");
        let module = format!("__private_{}", text(package, "version").replace(['.', '-'], "_"));
        let source =
            fs::read_to_string(root().join(name).join("src").join(file)).expect("a source");
        assert!(source.contains(&module), "{name}: rename the private module to `{module}`");
    }
}

/// A crate with its default features builds with the Rust that it names.
#[test]
fn the_oldest_rust_is_that_of_the_dependencies() {
    let workspace = &*WORKSPACE;
    for package in workspace.published() {
        let name = text(package, "name");
        let own = version(package);
        for id in workspace.below(text(package, "id")) {
            let dependency = &workspace.packages[id];
            assert!(
                version(dependency) <= own,
                "{name} names Rust {own:?} and {} needs {:?}",
                text(dependency, "name"),
                version(dependency)
            );
        }
    }
    for (name, feature) in NEWER_FEATURES {
        let readme = fs::read_to_string(root().join(name).join("README.md")).expect("a README");
        assert!(
            readme
                .lines()
                .any(|line| line.contains(&format!("`{feature}`")) && line.contains("needs")),
            "{name}: the README names the Rust that the feature `{feature}` needs"
        );
    }
}

/// Read once for all tests, because `cargo metadata` takes a second.
static WORKSPACE: LazyLock<Workspace> = LazyLock::new(Workspace::read);

struct Workspace {
    packages: BTreeMap<String, Value>,
    /// The packages that each package builds with, under the workspace members' default features.
    needs: BTreeMap<String, Vec<String>>,
    members: Vec<String>,
}

impl Workspace {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--filter-platform", &host()])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let list = |of: &Value, key: &str| of[key].as_array().cloned().expect("a list");
        let packages = list(&metadata, "packages")
            .into_iter()
            .map(|package| (text(&package, "id").to_owned(), package))
            .collect();
        let needs = list(&metadata["resolve"], "nodes")
            .iter()
            .map(|node| {
                let needs = list(node, "deps").into_iter().filter(|dependency| {
                    list(dependency, "dep_kinds").iter().any(|kind| kind["kind"] != "dev")
                });
                let needs = needs.map(|dependency| text(&dependency, "pkg").to_owned()).collect();
                (text(node, "id").to_owned(), needs)
            })
            .collect();
        let members = list(&metadata, "workspace_members")
            .iter()
            .map(|id| id.as_str().expect("an id").to_owned())
            .collect();
        Self { packages, needs, members }
    }

    fn published(&self) -> Vec<&Value> {
        let here = self.members.iter().map(|id| &self.packages[id]);
        here.filter(|package| package["publish"].is_null()).collect()
    }

    /// Returns the packages below one, without the optional dependencies of a feature in
    /// [`NEWER_FEATURES`].
    fn below<'a>(&'a self, id: &'a str) -> BTreeSet<&'a str> {
        let (mut found, mut open) = (BTreeSet::new(), vec![id]);
        while let Some(id) = open.pop() {
            let name = text(&self.packages[id], "name");
            for next in &self.needs[id] {
                let brought = text(&self.packages[next], "name");
                let newer = NEWER_FEATURES.iter().any(|(of, feature)| {
                    *of == name && feature.split('-').next() == brought.split('-').next()
                });
                if !newer && found.insert(next.as_str()) {
                    open.push(next);
                }
            }
        }
        found
    }
}

/// Returns this compiler's platform, for which `cargo test` has fetched all packages.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.expect("a host").to_owned()
}

fn version(package: &Value) -> (u32, u32) {
    let Some(text) = package["rust_version"].as_str() else { return (0, 0) };
    let mut parts = text.split('.').map(|part| part.parse().expect("a number"));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_else(|| panic!("`{key}` is missing in {}", of["name"]))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}
