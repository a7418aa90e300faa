//! Lists the public API of each published library, in `public-api.txt` beside its manifest. Also
//! fails if a signature has a type of another crate that no feature names.
//!
//! ```sh
//! cargo run -p public-api-lists               # fails if a list differs, and shows how
//! cargo run -p public-api-lists -- --update   # writes the lists
//! ```
//!
//! rustdoc writes JSON for nightly compilers only, so this program sets `RUSTC_BOOTSTRAP` for it.
//! The form of that JSON belongs to one Rust version, the workspace's. On another compiler this
//! program compares nothing, and exits with 77.
#![expect(clippy::print_stdout, reason = "the program prints its results")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use serde::Deserialize;

/// Foreign crates that any signature may name: stable versions (1.0 and later) break no user.
const STABLE: [&str; 4] = ["bytes", "serde_core", "serde_json", "tokio"];

/// The exit code of a suite that cannot run here.
const SKIPPED: u8 = 77;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let version = Command::new("rustc").arg("--version").output()?;
    let version = String::from_utf8(version.stdout)?;
    if !version.starts_with(&format!("rustc {}.", env!("CARGO_PKG_RUST_VERSION"))) {
        println!("skipped: {} reads rustdoc of {}", version.trim(), env!("CARGO_PKG_RUST_VERSION"));
        return Ok(ExitCode::from(SKIPPED));
    }
    let update = env::args().nth(1).as_deref() == Some("--update");
    let mut differing = 0;
    for Library { name, folder, features } in libraries()? {
        let (library, file) = (name.as_str(), folder.join("public-api.txt"));
        let list = list(library)?;
        for (foreign, item) in unnamed(&list, &features) {
            println!("{library}: no feature names {foreign}, which is in its public API: {item}");
            differing += 1;
        }
        if update {
            fs::write(&file, &list)?;
            println!("{library}: {} items", list.lines().count());
            continue;
        }
        let stored = fs::read_to_string(&file).unwrap_or_default();
        differing += usize::from(!is_same(library, &stored, &list));
    }
    if differing > 0 {
        println!(
            "\nIf you intend the change, update the lists: \
            cargo run -p public-api-lists -- --update"
        );
        println!(
            "A foreign type belongs behind a feature of its crate's name, \
             or into a `Box<dyn Error>`."
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// A published library.
struct Library {
    name: String,
    folder: PathBuf,
    features: Vec<String>,
}

/// Returns the libraries that the workspace publishes.
fn libraries() -> Result<Vec<Library>, Box<dyn Error>> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1"])
        .current_dir(root())
        .output()?;
    let metadata: Metadata = serde_json::from_slice(&metadata.stdout)?;
    let is_library = |package: &Package| {
        let is_lib = |target: &Target| target.kind.iter().any(|kind| kind == "lib");
        // `publish = false` is an empty list of registries.
        package.publish.is_none() && package.targets.iter().any(is_lib)
    };
    let packages = metadata.packages.into_iter().filter(is_library);
    let mut libraries: Vec<_> = packages.map(Package::library).collect();
    libraries.sort_by(|one, other| one.name.cmp(&other.name));
    if libraries.is_empty() {
        return Err("the workspace publishes no library".into());
    }
    Ok(libraries)
}

/// The needed part of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    publish: Option<Vec<String>>,
    targets: Vec<Target>,
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

impl Package {
    fn library(self) -> Library {
        let folder = self.manifest_path.parent().map(Path::to_owned).unwrap_or_default();
        Library { name: self.name, folder, features: self.features.into_keys().collect() }
    }
}

/// Returns the foreign crates that no feature names, each with an item that has one of its types.
fn unnamed<'a>(list: &'a str, features: &[String]) -> BTreeMap<&'a str, &'a str> {
    let stems: Vec<_> = features.iter().map(|feature| stem(feature)).collect();
    let is_named = |foreign: &str| {
        let is_ours = ["alloc", "core", "std", "crate"].contains(&foreign)
            || foreign.starts_with("intercom_");
        is_ours
            || STABLE.contains(&foreign)
            || stems.iter().any(|stem| foreign.starts_with(stem.as_str()))
    };
    let items = list.lines().flat_map(|line| roots(line).map(move |foreign| (foreign, line)));
    items.filter(|(foreign, _)| !is_named(foreign)).collect()
}

/// Returns the first segment of each path in a line, except primitive types.
fn roots(line: &str) -> impl Iterator<Item = &str> {
    let is_segment = |c: char| c.is_alphanumeric() || c == '_';
    let paths = line.split(move |c| !is_segment(c) && c != ':').filter(|path| path.contains("::"));
    let first = paths.filter_map(|path| path.split("::").next());
    let is_primitive = |name: &str| {
        let (kind, bits) =
            name.split_at(name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len()));
        ["bool", "char", "str", "isize", "usize"].contains(&name)
            || ["i", "u", "f"].contains(&kind) && !bits.is_empty()
    };
    // A type parameter begins with a capital letter.
    first.filter(move |name| name.starts_with(char::is_lowercase) && !is_primitive(name))
}

/// Returns the name of the crate in a feature's name, without a version: `sqlx-0_8` gives sqlx.
fn stem(feature: &str) -> String {
    let name = feature.split(|c: char| c.is_ascii_digit()).next().unwrap_or(feature);
    name.trim_end_matches('-').replace('-', "_")
}

/// Compares a list with the code, and prints the differences.
fn is_same(library: &str, stored: &str, list: &str) -> bool {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (stored, list) = (lines(stored), lines(list));
    if stored == list {
        println!("{library}: {} items", list.len());
        return true;
    }
    println!("{library}: its public API differs from public-api.txt");
    stored.difference(&list).for_each(|line| println!("- {line}"));
    list.difference(&stored).for_each(|line| println!("+ {line}"));
    false
}

/// Returns the public items of a library with all of its features, one a line, sorted. Omits
/// implementations of derived and automatic traits.
fn list(library: &str) -> Result<String, Box<dyn Error>> {
    // A separate folder, because the build scripts of some crates read `RUSTC_BOOTSTRAP`.
    let target = target().join("public-api");
    let status = Command::new(env!("CARGO"))
        .args(["rustdoc", "--quiet", "--lib", "--all-features", "--package", library])
        .args(["--target-dir".as_ref(), target.as_os_str()])
        .args(["--", "-Zunstable-options", "--output-format=json", "--cap-lints=allow"])
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(root())
        .status()?;
    if !status.success() {
        return Err(format!("rustdoc of {library} failed").into());
    }
    let json = target.join("doc").join(format!("{}.json", library.replace('-', "_")));
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .sorted(true)
        .build()?;
    Ok(api.items().map(|item| format!("{item}\n")).collect())
}

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the workspace")
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_type_needs_a_feature_that_names_its_crate() {
        let list = "pub fn own::open(&rusqlite::Transaction<'_>, core::option::Option<u64>)\n\
                    pub fn u8::encode<T>(&self, T::Kind) -> serde_json::Value\n\
                    impl own::PgConnection for sqlx_postgres::PgConnection\n";
        let named = |features: &[&str]| {
            let features: Vec<_> = features.iter().map(|feature| (*feature).to_owned()).collect();
            unnamed(&list.replace("own::", "intercom_own::"), &features)
                .into_keys()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(named(&[]), ["rusqlite", "sqlx_postgres"]);
        assert_eq!(named(&["rusqlite", "sqlx-0_8"]), [""; 0]);
    }
}
