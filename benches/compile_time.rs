//! The compile time of events that derive `IntercomEvent`, beside the same structs with serde's
//! `Serialize`.
//!
//! Measures a crate of 300 structs of ten fields each, compiled from scratch (not incrementally).
//! Its dependencies are built before. Three commands:
//!   - `cargo check`
//!   - `cargo build`, where `Serialize` has an advantage: its code is generic, so cargo compiles it
//!     only where it is used
//!   - `cargo build` of the same crate with one function an event that encodes it into a request's
//!     body
//!
//! The baselines are the same crate with `Serialize`, and the same crate without any derive. Both
//! pay for the structs and for the start of cargo.
//!
//! Bound: at most 0.7 of the time of `Serialize`, structs and cargo included.
//!
//! Command: `cargo bench -p benches --bench compile_time`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs, io};

use benches::{Bound, Cost, Cpu, Report, Rounds, in_turn, seconds, table};
use tempfile::TempDir;

const ROUNDS: usize = 9;
const STRUCTS: usize = 300;
const FIELDS: usize = 10;

/// Names and types of the fields. Each struct begins at another one.
const TYPES: [(&str, &str); 12] = [
    ("project_id", "u64"),
    ("project_name", "String"),
    ("seats", "i32"),
    ("discount", "f64"),
    ("first_time", "bool"),
    ("coupon", "Option<String>"),
    ("channel", "&'static str"),
    ("retries", "u32"),
    ("parent_id", "Option<u64>"),
    ("plan", "String"),
    ("score", "Option<f64>"),
    ("elapsed_ms", "i64"),
];

/// The derive of a crate's structs.
#[derive(Clone, Copy, PartialEq)]
enum Derive {
    Nothing,
    IntercomEvent,
    Serialize,
}

const DERIVES: [Derive; 3] = [Derive::IntercomEvent, Derive::Serialize, Derive::Nothing];

impl Derive {
    fn crate_name(self, encoded: bool) -> String {
        let name = match self {
            Derive::Nothing => "events-plain",
            Derive::IntercomEvent => "events-intercom",
            Derive::Serialize => "events-serde",
        };
        if encoded { format!("{name}-encoded") } else { name.to_owned() }
    }

    fn source(self, encoded: bool) -> String {
        let mut source = String::from("//! Events.\n");
        if encoded {
            source += match self {
                Derive::Nothing => "",
                Derive::IntercomEvent => "use intercom_core::{Contact, DataEvent, Timestamp};\n",
                Derive::Serialize => ENVELOPE,
            };
        }
        for number in 0..STRUCTS {
            self.write(&mut source, number, encoded).expect("a `String` takes everything");
        }
        source
    }

    fn write(self, out: &mut String, number: usize, encoded: bool) -> std::fmt::Result {
        writeln!(out, "\n/// Something that happened, the {number}th of its kind.")?;
        match self {
            Derive::Nothing => {}
            Derive::IntercomEvent => {
                writeln!(out, "#[derive(intercom_core::IntercomEvent)]")?;
                writeln!(out, "#[event(name = \"event_{number}\")]")?;
            }
            Derive::Serialize => writeln!(out, "#[derive(serde::Serialize)]")?,
        }
        writeln!(out, "pub struct Event{number} {{")?;
        for field in 0..FIELDS {
            let (name, ty) = TYPES[(number + field) % TYPES.len()];
            writeln!(out, "    /// The description of `{name}`.")?;
            writeln!(out, "    pub {name}: {ty},")?;
        }
        writeln!(out, "}}")?;
        match self {
            Derive::IntercomEvent if encoded => write!(
                out,
                "
                /// The body of a request.
                pub fn body_{number}(event: &Event{number}, email: Contact, time: i64) -> Option<DataEvent> {{
                    DataEvent::new(event, email, Timestamp::from_unix_seconds(time)).ok()
                }}
                "
            ),
            Derive::Serialize if encoded => write!(
                out,
                "
                /// The body of a request.
                pub fn body_{number}(event: &Event{number}, email: &str, time: i64) -> Option<Vec<u8>> {{
                    let name = \"event_{number}\";
                    let body =
                        Envelope {{ event_name: name, created_at: time, email, metadata: event }};
                    serde_json::to_vec(&body).ok()
                }}
                "
            ),
            _ => Ok(()),
        }
    }
}

const ENVELOPE: &str = "
#[derive(serde::Serialize)]
struct Envelope<'a, M> {
    event_name: &'a str,
    created_at: i64,
    email: &'a str,
    metadata: &'a M,
}
";

/// A workspace in a temporary folder.
struct Workspace {
    folder: TempDir,
}

impl Workspace {
    fn new() -> io::Result<Workspace> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().expect("the crate is in its workspace");
        let folder = tempfile::tempdir()?;
        // The versions that this workspace locks.
        fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock"))?;
        let workspace = Workspace { folder };
        let mut members = Vec::new();
        for encoded in [false, true] {
            for derive in DERIVES {
                let name = derive.crate_name(encoded);
                let member = workspace.path(&name);
                fs::create_dir_all(member.join("src"))?;
                fs::write(member.join("Cargo.toml"), manifest(&name, derive, encoded, root))?;
                fs::write(member.join("src/lib.rs"), derive.source(encoded))?;
                members.push(name);
            }
        }
        let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n");
        fs::write(workspace.path("Cargo.toml"), manifest)?;
        Ok(workspace)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Compiles, and panics with cargo's message when that fails.
    fn cargo(&self, command: &str, arguments: &[&str]) {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .arg(command)
            .args(arguments)
            .arg("--quiet")
            .current_dir(self.folder.path())
            .env("CARGO_TARGET_DIR", self.path("target"))
            .env("CARGO_INCREMENTAL", "0")
            .env("RUSTC_WRAPPER", "")
            .output()
            .expect("cargo can be started");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo {command} {arguments:?} failed:\n{message}");
    }

    /// Returns the cost of compiling one crate without its dependencies.
    fn compile(&self, command: &str, name: &str) -> Cost {
        let source = self.path(name).join("src/lib.rs");
        let text = fs::read(&source).expect("the source was written");
        // A new modification time makes cargo compile it again.
        fs::write(&source, text).expect("the source can be written");
        Cost::of(Cpu::Children, || self.cargo(command, &["--package", name]))
    }
}

fn manifest(name: &str, derive: Derive, encoded: bool, root: &Path) -> String {
    let mut manifest = format!(
        "[package]\nname = {name:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n"
    );
    match derive {
        Derive::Nothing => {}
        Derive::IntercomEvent => {
            let path = root.join("intercom-core");
            manifest += &format!("intercom-core = {{ path = {path:?} }}\n");
        }
        Derive::Serialize => {
            manifest += "serde = { version = \"1\", features = [\"derive\"] }\n";
            if encoded {
                manifest += "serde_json = \"1\"\n";
            }
        }
    }
    manifest
}

fn main() -> ExitCode {
    let mut report = Report::from_args();
    let workspace = Workspace::new().expect("a temporary folder can be filled");
    workspace.cargo("check", &["--workspace"]);
    workspace.cargo("build", &["--workspace"]);

    println!("{STRUCTS} structs of {FIELDS} fields; {ROUNDS} rounds");
    compare(&mut report, &workspace, "check", false);
    compare(&mut report, &workspace, "build", false);
    compare(&mut report, &workspace, "build", true);
    report.finish()
}

fn compare(report: &mut Report, workspace: &Workspace, command: &str, encoded: bool) {
    let [mut ours, mut serde, mut nothing] = DERIVES.map(|derive| {
        let name = derive.crate_name(encoded);
        move || workspace.compile(command, &name)
    });
    let [ours, serde, nothing] = in_turn(ROUNDS, [&mut ours, &mut serde, &mut nothing]);

    let what = if encoded { ", each event encoded once" } else { "" };
    println!("\ncargo {command}{what}");
    let row = |name: &str, rounds: &Rounds| {
        [
            name.to_owned(),
            seconds(rounds.median(wall)),
            seconds(rounds.median(cpu)),
            format!("{:.3}", rounds.ratio(&serde, wall).median),
            format!("{:.3}", rounds.ratio(&serde, cpu).median),
            format!("{:.3}", rounds.ratio_above(&nothing, &serde, cpu).median),
        ]
    };
    table(
        ["", "time", "CPU time", "ratio", "ratio of CPU", "ratio of CPU above no derive"],
        &[row("IntercomEvent", &ours), row("Serialize", &serde), row("no derive", &nothing)],
    );
    report.ratio("time to that of Serialize", ours.ratio(&serde, wall), Bound::AtMost(0.7));
    report.ratio("CPU time to that of Serialize", ours.ratio(&serde, cpu), Bound::AtMost(0.7));
}

fn wall(cost: &Cost) -> f64 {
    cost.wall
}

fn cpu(cost: &Cost) -> f64 {
    cost.cpu
}
