//! Importing a CSV file into a SQLite outbox by the program `intercom`, against the `csv` crate
//! parsing the same file alone.
//!
//! Measures 1,000,000 rows of a contact, a time and ten keys. The import reads, checks and encodes
//! each row, and accepts it in the outbox with its checkpoint, fsync included. The baseline reads
//! each row into one `StringRecord`. A second figure shows the share of durability: SQLite alone
//! inserts the same bodies in transactions of the same size.
//!
//! Bounds: at least 0.25 of the baseline's rows a second. The memory is flat: a tenth of the rows
//! takes at least 0.8 of it.
//!
//! Command: `cargo bench -p benches --bench import`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use benches::{Bound, Report};
use intercom_sqlite::rusqlite::{self, Connection};
use nix::sys::resource::{UsageWho, getrusage};

const ROWS: u64 = 1_000_000;
const ROUNDS: usize = 3;

/// The rows in a transaction of an import.
const BATCH: usize = 4_000;

/// Writes a file of `rows` rows, and returns its size.
///
/// The text does not stay in memory: the peak memory of a child starts at its parent's memory at
/// the time of the start.
fn write(path: &Path, rows: u64) -> u64 {
    let mut file = BufWriter::new(File::create(path).expect("the folder takes a file"));
    let header = "user_id,created_at,order_id,amount,currency_code,plan,seats,coupon,renewed,channel,due_date,note";
    writeln!(file, "{header}").expect("the disk has room");
    for row in 0..rows {
        writeln!(
            file,
            "user-{},{},{row},{}.{:02} \
             EUR,EUR,professional-yearly,{},SPRING-{},{},newsletter,{},a note of some length on \
             order {row}",
            row % 50_000,
            1_600_000_000 + row,
            row % 900,
            row % 100,
            row % 40,
            row % 12,
            row % 2 == 0,
            1_700_000_000 + row
        )
        .expect("the disk has room");
    }
    file.into_inner().expect("the disk has room").metadata().expect("the file is there").len()
}

/// Parses the file with the `csv` crate alone.
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

/// Inserts the outbox's bodies into a plain table, with SQLite alone.
fn insert(folder: &Path, rows: u64) -> Duration {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(folder.join(format!("plain.db{suffix}")));
    }
    let outbox = Connection::open(folder.join("events.db")).expect("the outbox opens");
    let select = "SELECT id, created_at, body FROM outbox_events ORDER BY id";
    let mut select = outbox.prepare(select).expect("the outbox has a table of events");
    let mut events = select.query([]).expect("the outbox is read");
    let (mut took, mut inserted) = (Duration::ZERO, 0);
    let begun = Instant::now();
    let mut plain = Connection::open(folder.join("plain.db")).expect("the folder takes a file");
    plain
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE events (id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL, body TEXT NOT NULL) STRICT;",
        )
        .expect("SQLite creates a table");
    took += begun.elapsed();
    while inserted < rows {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH
            && let Some(row) = events.next().expect("the outbox is read")
        {
            let read = || -> rusqlite::Result<(i64, i64, String)> {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            };
            batch.push(read().expect("the row is an event"));
        }
        assert!(!batch.is_empty(), "the outbox has {rows} events");
        let begun = Instant::now();
        let transaction = plain.transaction().expect("a transaction begins");
        let mut statement =
            transaction.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3)").expect("SQL");
        for event in &batch {
            statement.execute((&event.0, &event.1, &event.2)).expect("the row fits");
        }
        drop(statement);
        transaction.commit().expect("the disk has room");
        inserted += batch.len() as u64;
        took += begun.elapsed();
    }
    let begun = Instant::now();
    plain.close().expect("the file is closed");
    took + begun.elapsed()
}

/// Returns the peak memory of all children so far, in MiB.
fn peak_memory() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts");
    usage.max_rss() as f64 / 1024.0
}

/// Builds the program, and returns its path.
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
    // Cargo and the linker are children too, and would set the peak.
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
    println!("{ROWS} rows of {} bytes:", size / ROWS);

    let (mut ratios, mut durable) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let parsed = parse(&folder.join("events.csv"), ROWS);
        let imported = import(&program, folder, "events.csv", ROWS);
        let inserted = insert(folder, ROWS);
        let rate = |took: Duration| ROWS as f64 / took.as_secs_f64();
        let ratio = rate(imported) / rate(parsed);
        println!(
            "  round {}: parsed {:.0} rows/s, inserted {:.0}, imported {:.0}: {ratio:.3} of the \
             first, {:.3} of the second",
            round + 1,
            rate(parsed),
            rate(inserted),
            rate(imported),
            rate(imported) / rate(inserted)
        );
        ratios.push(ratio);
        durable.push(rate(imported) / rate(inserted));
    }
    ratios.sort_by(f64::total_cmp);
    durable.sort_by(f64::total_cmp);
    println!("  rows a second, of SQLite's own: {:.2}", durable[ROUNDS / 2]);
    report.number("rows a second, of the csv crate's", ratios[ROUNDS / 2], Bound::AtLeast(0.25));
    let whole = peak_memory();
    println!("  peak memory: {tenth:.0} MiB for {} rows, {whole:.0} MiB for {ROWS}", ROWS / 10);
    report.number(
        "peak memory for a tenth of the rows, of that for all",
        tenth / whole,
        Bound::AtLeast(0.8),
    );
    report.finish()
}
