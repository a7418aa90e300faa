//! Irregular files, files that grow, and files that change.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Output;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::rig::{bodies, run};

const HEADER: &str = "user_id,created_at,number\n";

fn import(folder: &Path, more: &[&str]) -> Output {
    let mut arguments = vec!["import", "events.csv", "--event", "counted", "--outbox", "events.db"];
    arguments.extend(more);
    run(folder, &arguments)
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn row(number: usize) -> String {
    format!("42,{},{number}\n", 1_700_000_000 + number)
}

fn append(folder: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(folder.join("events.csv")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_pipe_and_a_directory_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    mkfifo(&folder.path().join("events.csv"), Mode::S_IRWXU).unwrap();
    let output = import(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("events.csv is a pipe or a device, which cannot be read twice"));
    fs::remove_file(folder.path().join("events.csv")).unwrap();
    fs::create_dir(folder.path().join("events.csv")).unwrap();
    let output = import(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("events.csv is a directory; import the files in it"));
    assert!(!folder.path().join("events.db").exists(), "nothing was opened");
}

#[test]
fn a_file_that_grew_is_imported_from_its_old_end() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("events.csv"), format!("{HEADER}{}{}", row(0), row(1))).unwrap();
    assert!(import(folder, &[]).status.success());
    append(folder, &row(2));
    let output = import(folder, &[]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "events.csv: accepted 1, accepted before 2, rejected 0\n"
    );
    // A copy with another name counts as the same file.
    fs::rename(folder.join("events.csv"), folder.join("copy.csv")).unwrap();
    let output =
        run(folder, &["import", "copy.csv", "--event", "counted", "--outbox", "events.db"]);
    assert!(output.status.success());
    assert_eq!(bodies(&folder.join("events.db")).len(), 3);
}

#[test]
fn a_file_that_changed_is_refused_and_imported_again_by_a_flag() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = folder.join("events.csv");
    // The last row was incomplete.
    fs::write(&file, format!("{HEADER}{}42,1700000001,1", row(0))).unwrap();
    assert!(import(folder, &[]).status.success());
    append(folder, "7\n");
    let output = import(folder, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("the last one was incomplete then"), "{output:?}");
    assert_eq!(bodies(&folder.join("events.db")).len(), 2);
    assert!(import(folder, &["--again"]).status.success());
    assert_eq!(bodies(&folder.join("events.db")).len(), 4);
    assert!(import(folder, &[]).status.success());
    assert_eq!(bodies(&folder.join("events.db")).len(), 4, "a finished import adds nothing");
}

#[test]
fn other_options_do_not_import_a_file_twice() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("events.csv"), format!("{HEADER}{}", row(0))).unwrap();
    assert!(import(folder, &[]).status.success());
    let output = import(folder, &["--null", "n/a"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("with other options"), "{output:?}");
    assert_eq!(bodies(&folder.join("events.db")).len(), 1);
}

#[test]
fn a_file_of_rejected_rows_that_is_corrected_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("events.csv"), format!("{HEADER}42,soon,1\n{}", row(2))).unwrap();
    assert_eq!(import(folder, &[]).status.code(), Some(6));
    let rejected = folder.join("events.rejected.csv");
    let corrected = fs::read_to_string(&rejected).unwrap().replace("42,soon", "42,1700000001");
    fs::write(&rejected, &corrected).unwrap();
    assert_eq!(import(folder, &[]).status.code(), Some(6));
    assert_eq!(fs::read_to_string(&rejected).unwrap(), corrected);
    assert!(folder.join("events.rejected-2.csv").exists());
    let output = run(
        folder,
        &["import", "events.rejected.csv", "--event", "counted", "--outbox", "events.db"],
    );
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "events.rejected.csv: accepted 1, rejected 0\n"
    );
    let bodies = bodies(&folder.join("events.db"));
    assert_eq!(
        bodies[1],
        r#"{"event_name":"counted","created_at":1700000001,"user_id":"42","metadata":{"number":1}}"#
    );
}

/// A full outbox ends an import, and a later run continues it. The default size of a transaction
/// does not matter.
#[test]
fn a_full_outbox_ends_an_import_that_continues_later() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rows: String = (0..10_000).map(row).collect();
    fs::write(folder.join("events.csv"), format!("{HEADER}{rows}")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let open = |capacity| {
        let _context = runtime.enter();
        intercom_sqlite::SqliteOutbox::builder(folder.join("events.db"))
            .capacity(capacity)
            .open()
            .unwrap()
    };
    drop(open(10));
    let output = import(folder, &[]);
    assert_eq!(output.status.code(), Some(5));
    assert!(told(&output).contains("the outbox is full after 10 rows of events.csv"), "{output:?}");
    drop(open(5_000));
    let output = import(folder, &[]);
    assert_eq!(output.status.code(), Some(5));
    assert!(
        told(&output).contains("the outbox is full after 5000 rows of events.csv"),
        "{output:?}"
    );
    drop(open(50_000));
    assert!(import(folder, &[]).status.success());
    assert_eq!(bodies(&folder.join("events.db")).len(), 10_000);
}
