//! `--flush --share`: an import leaves the application its share of the rate limit.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use intercom_sandbox::Sandbox;
use tokio::runtime::Runtime;

use crate::rig::program;

/// Intercom's limit in ten seconds, the import's share of it, and the events to send.
const LIMIT: u32 = 240;
const SHARE: usize = 60;
const EVENTS: usize = 75;

/// The import needs two windows, and so just over ten seconds.
#[test]
fn an_import_takes_its_share_of_each_window() {
    let runtime = Runtime::new().unwrap();
    let sandbox = Sandbox::builder().rate_limit(LIMIT).know_everybody(true);
    let sandbox = runtime.block_on(sandbox.start()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut rows = "user_id,created_at,number\n".to_owned();
    for row in 0..EVENTS {
        writeln!(rows, "42,{},{row}", 1_700_000_000 + row).unwrap();
    }
    fs::write(folder.path().join("events.csv"), rows).unwrap();
    let output = program(folder.path())
        .args(["import", "events.csv", "--event", "counted", "--outbox", "events.db"])
        .args(["--flush", "--share", "25%"])
        .env("INTERCOM_BASE_URL", sandbox.url())
        .env("INTERCOM_ACCESS_TOKEN", sandbox.token())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (EVENTS, 0));

    // A window opens with the first request after the previous one.
    let mut windows: Vec<(_, usize)> = Vec::new();
    for request in sandbox.requests() {
        let at = request.received_at();
        match windows.last_mut() {
            Some((opened, used)) if at < *opened + Duration::from_secs(10) => *used += 1,
            _ => windows.push((at, 1)),
        }
    }
    let used: Vec<_> = windows.iter().map(|(_, used)| *used).collect();
    assert!(used.len() > 1 && used.iter().all(|used| *used <= SHARE), "{used:?}");
    // The import uses its share, so it is not merely slow.
    assert!(used[0] > SHARE / 2, "{used:?}");
}
