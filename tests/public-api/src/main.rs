//! Lists what is public of each library, in `public-api.txt` beside its manifest.
//!
//! ```sh
//! cargo run -p public-api-lists               # fails where a list differs from the code, and shows how
//! cargo run -p public-api-lists -- --update   # writes the lists anew
//! ```
//!
//! rustdoc writes JSON for nightly compilers only, so `RUSTC_BOOTSTRAP` is set for it. The form of that JSON
//! belongs to one Rust version, the workspace's: another compiler ends with 77, and nothing was compared.
#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

const LIBRARIES: [&str; 8] = [
    "intercom-catalogue",
    "intercom-core",
    "intercom-delivery",
    "intercom-http",
    "intercom-postgres",
    "intercom-rules",
    "intercom-sandbox",
    "intercom-sqlite",
];

/// The exit code of a suite that could not run here.
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
    for library in LIBRARIES {
        let file = root().join(library).join("public-api.txt");
        let list = list(library)?;
        if update {
            fs::write(&file, &list)?;
            println!("{library}: {} items", list.lines().count());
            continue;
        }
        let stored = fs::read_to_string(&file).unwrap_or_default();
        differing += usize::from(!is_same(library, &stored, &list));
    }
    if differing > 0 {
        println!("\nIntended? Write the lists anew: cargo run -p public-api-lists -- --update");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares a list with the code, and prints what differs.
fn is_same(library: &str, stored: &str, list: &str) -> bool {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (stored, list) = (lines(stored), lines(list));
    if stored == list {
        println!("{library}: {} items", list.len());
        return true;
    }
    println!("{library}: its public API is not what public-api.txt says");
    stored.difference(&list).for_each(|line| println!("- {line}"));
    list.difference(&stored).for_each(|line| println!("+ {line}"));
    false
}

/// What is public of a library with all of its features: a line an item, sorted. Implementations of derived and automatic
/// traits are left out.
fn list(library: &str) -> Result<String, Box<dyn Error>> {
    // A folder of its own, because build scripts of some crates take notice of `RUSTC_BOOTSTRAP`.
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
