//! Early ends of the program: by Ctrl-C, and by a reader that closes its output.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::setup::Setup;

fn intercom(setup: &Setup, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_intercom"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("XDG_CONFIG_HOME", setup.home())
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Returns the output of `outbox status` for `events.db`.
fn outbox_status(setup: &Setup, folder: &Path) -> serde_json::Value {
    let status = ["outbox", "status", "--outbox", "events.db", "--json"];
    let output = intercom(setup, folder, &status).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits until the sandbox has seen this many requests.
fn wait_for_requests(setup: &Setup, count: usize) {
    setup.runtime.block_on(async {
        let mut requests = setup.sandbox.follow();
        let mut seen = 0;
        while seen < count {
            seen += requests.next().await.len();
        }
    });
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn ctrl_c_during_many_events_reports_what_was_delivered() {
    let setup = Setup::new(&[]);
    let folder = tempfile::tempdir().unwrap();
    let mut child = intercom(&setup, folder.path(), &["send", "-"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for second in 0..3 {
        writeln!(
            input,
            r#"{{"event_name":"a","user_id":"42","created_at":{}}}"#,
            1_796_117_400 + second
        )
        .unwrap();
    }
    input.flush().unwrap();
    wait_for_requests(&setup, 3);
    signal(&child, Signal::SIGINT);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    drop(input);
    assert_eq!(status.code(), Some(130), "{}", text(&stderr));
    assert_eq!(text(&stdout), "3 delivered\n");
    assert_eq!(text(&stderr), "error: interrupted\n");
    assert_eq!(setup.sandbox.event_count(), 3);
}

#[test]
fn an_interrupted_flush_leaves_the_events_in_the_outbox() {
    let setup = Setup::new(&["503"]);
    let folder = tempfile::tempdir().unwrap();
    let send = ["send", "a", "--user-id", "42", "--outbox", "events.db", "--flush"];
    let child = intercom(&setup, folder.path(), &send).spawn().unwrap();
    wait_for_requests(&setup, 1);
    let deliverer = outbox_status(&setup, folder.path())["deliverer"].clone();
    assert_eq!(deliverer["name"], format!("process {}", child.id()), "{deliverer}");
    signal(&child, Signal::SIGTERM);
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert_eq!(status.code(), Some(130), "{}", text(&stderr));
    assert!(text(&stderr).contains("1 pending event in the outbox"), "{}", text(&stderr));

    setup.sandbox.remove_faults();
    let send = ["send", "b", "--user-id", "42", "--outbox", "events.db", "--flush"];
    let output = intercom(&setup, folder.path(), &send).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let status = outbox_status(&setup, folder.path());
    assert_eq!(status["deliverer"], serde_json::Value::Null);
    // The first event may still wait for its next attempt. It is stored, and was sent at most once.
    // It is there, and was sent once at most.
    let delivered = status["delivered"].as_u64().unwrap();
    assert_eq!(delivered + status["pending"].as_u64().unwrap(), 2, "{status}");
    assert_eq!(delivered, setup.sandbox.event_count() as u64, "{status}");
    assert_eq!(setup.sandbox.duplicate_count(), 0);
}

#[test]
fn a_list_ends_quietly_when_its_reader_closes() {
    let setup = Setup::new(&[]);
    let folder = tempfile::tempdir().unwrap();
    let input: String = (0..20_000)
        .map(|second| {
            format!(
                "{{\"event_name\":\"a\",\"user_id\":\"42\",\"created_at\":{}}}\n",
                1_796_117_400 + second
            )
        })
        .collect();
    std::fs::write(folder.path().join("events.ndjson"), input).unwrap();
    let send = ["send", "--file", "events.ndjson", "--outbox", "events.db"];
    let output = intercom(&setup, folder.path(), &send).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));

    let list = ["outbox", "pending", "--outbox", "events.db", "--limit", "20000"];
    let mut child = intercom(&setup, folder.path(), &list).spawn().unwrap();
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    drop(reader);
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(first.contains("2026-12-01T09:30:00Z"), "{first}");
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
}
