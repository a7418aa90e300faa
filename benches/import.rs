//! Importing a CSV file into a SQLite outbox by the program `intercom`, against the `csv` crate parsing the same file alone.
//!
//! What is measured: 1,000,000 rows of a contact, a time and ten keys. The import reads, checks and encodes each row, and
//! accepts it in the outbox with its checkpoint, fsync included. The baseline reads each row into one `StringRecord`.
//!
//! Bounds: at least 0.25 of the baseline's rows a second. A tenth of the rows takes at least 0.8 of the memory: it is flat.
//!
//! Command: `cargo bench -p benches --bench import`

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use benches::{Bound, Report};
use nix::sys::resource::{UsageWho, getrusage};

const ROWS: u64 = 1_000_000;
const ROUNDS: usize = 3;

/// Writes a file of so many rows, and returns its size.
fn write(path: &Path, rows: u64) -> usize {
    let mut text = "user_id,created_at,order_id,amount,currency_code,plan,seats,coupon,renewed,channel,due_date,note\n".to_owned();
    for row in 0..rows {
        writeln!(
            text,
            "user-{},{},{row},{}.{:02} EUR,EUR,professional-yearly,{},SPRING-{},{},newsletter,{},a note of some length on order {row}",
            row % 50_000,
            1_600_000_000 + row,
            row % 900,
            row % 100,
            row % 40,
            row % 12,
            row % 2 == 0,
            1_700_000_000 + row
        )
        .expect("writing to a string does not fail");
    }
    fs::write(path, &text).expect("the file is written");
    text.len()
}

/// Parses the file by the `csv` crate alone.
fn parse(path: &Path, rows: u64) -> Duration {
    let begun = Instant::now();
    let mut reader = csv::Reader::from_path(path).expect("the file is there");
    let (mut record, mut read) = (csv::StringRecord::new(), 0);
    while reader.read_record(&mut record).expect("the file is CSV") {
        read += u64::from(record.len() == 12);
    }
    assert_eq!(read, rows);
    begun.elapsed()
}

/// Imports the file into a new outbox.
fn import(program: &Path, folder: &Path, file: &str, rows: u64) -> Duration {
    let outbox = folder.join("events.db");
    for suffix in ["", "-wal", "-shm", "-lock", "-reserve"] {
        let _ = fs::remove_file(folder.join(format!("events.db{suffix}")));
    }
    let begun = Instant::now();
    let output = Command::new(program)
        .args(["import", file, "--event", "invoice_paid", "--quiet", "--no-lock", "--outbox"])
        .arg(&outbox)
        .current_dir(folder)
        .env("XDG_CONFIG_HOME", folder)
        .stderr(Stdio::inherit())
        .output()
        .expect("the program starts");
    let took = begun.elapsed();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(told.trim(), format!("{file}: accepted {rows}, rejected 0"));
    took
}

/// Returns the most memory that a child had so far, in MiB.
fn peak_memory() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts");
    usage.max_rss() as f64 / 1024.0
}

/// Builds the program, and returns where it is.
fn build() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).args(["build", "--release", "-p", "intercom-cli"]).status();
    assert!(built.expect("cargo starts").success(), "the program is built");
    let bench = env::current_exe().expect("a bench has a file");
    // target/release/deps/import-…
    let release = bench.ancestors().nth(2).expect("a target directory");
    release.join("intercom")
}

fn main() -> ExitCode {
    let mut report = Report::from_args();
    // Cargo and the linker are children too, and would count as the most memory.
    let program = env::args().skip(1).find(|argument| Path::new(argument).is_file());
    let program = match program {
        Some(program) => PathBuf::from(program),
        None => {
            let bench = env::current_exe().expect("a bench has a file");
            let mut again = Command::new(bench);
            again.arg(build()).args(env::args().skip(1));
            let status = again.status().expect("a bench starts itself");
            return if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
    };
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(&folder.join("tenth.csv"), ROWS / 10);
    import(&program, folder, "tenth.csv", ROWS / 10);
    let tenth = peak_memory();
    let size = write(&folder.join("events.csv"), ROWS);
    println!("{ROWS} rows of {} bytes:", size as u64 / ROWS);

    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let parsed = parse(&folder.join("events.csv"), ROWS);
        let imported = import(&program, folder, "events.csv", ROWS);
        let rate = |took: Duration| ROWS as f64 / took.as_secs_f64();
        let ratio = rate(imported) / rate(parsed);
        println!(
            "  round {}: parsed {:.0} rows/s, imported {:.0} rows/s, {ratio:.3} of it",
            round + 1,
            rate(parsed),
            rate(imported)
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    report.number("rows a second, of the csv crate's", ratios[ROUNDS / 2], Bound::AtLeast(0.25));
    let whole = peak_memory();
    println!("  most memory: {tenth:.0} MiB for {} rows, {whole:.0} MiB for {ROWS}", ROWS / 10);
    report.number(
        "memory for a tenth of the rows, of that for all",
        tenth / whole,
        Bound::AtLeast(0.8),
    );
    report.finish()
}
