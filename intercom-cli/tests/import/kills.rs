//! A killed or interrupted import and its next runs give the result of a single run.

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::rig::{ROWS, Rig, records};

/// The total number of kills, unless `IMPORT_KILLS` is set.
const KILLS: usize = 6;

/// The number of kills for one file.
const A_FILE: usize = 5;

fn start(rig: &Rig, outbox: &str) -> Child {
    rig.command(outbox).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Runs an import to its end, and returns how long it took.
fn run_to_the_end(rig: &Rig, outbox: &str) -> Duration {
    let begun = Instant::now();
    let output = rig.command(outbox).output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    begun.elapsed()
}

#[test]
fn a_killed_import_continues_to_the_same_result() {
    let kills = std::env::var("IMPORT_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let rig = Rig::new();
    let took = run_to_the_end(&rig, "whole.db");
    let (whole, rejected) = (rig.bodies("whole.db"), rig.rejected());
    assert!(whole.len() > ROWS * 9 / 10 && rejected.lines().count() > 100);

    let (mut killed, mut midway, mut round) = (0, 0, 0);
    // On a busy machine, several kills in a row may come too early.
    while killed < kills || midway == 0 && killed < 10 * kills {
        let outbox = format!("killed-{round}.db");
        round += 1;
        for _ in 0..A_FILE {
            let mut child = start(&rig, &outbox);
            // Some kills fall before the first transaction, and most between two.
            sleep(took.mul_f64(fastrand::f64()));
            child.kill().unwrap();
            killed += usize::from(child.wait().unwrap().code().is_none());
            let taken = records(&rig.path(&outbox)).unwrap_or_default();
            midway += usize::from((1..ROWS).contains(&taken));
        }
        run_to_the_end(&rig, &outbox);
        assert!(rig.bodies(&outbox) == whole, "{outbox} has other events than after a single run");
        assert_eq!(rig.rejected(), rejected);
        // A finished import adds nothing.
        run_to_the_end(&rig, &outbox);
        assert!(rig.bodies(&outbox) == whole, "{outbox} has more events than after a single run");
    }
    assert!(midway > 0, "{killed} kills, none of them between two transactions");
}

#[test]
fn an_interrupted_import_says_so_and_can_continue() {
    let rig = Rig::new();
    run_to_the_end(&rig, "whole.db");
    for round in 0..50 {
        let outbox = format!("interrupted-{round}.db");
        let mut child = rig.command(&outbox);
        let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while records(&rig.path(&outbox)).unwrap_or_default() == 0 {
            std::thread::yield_now();
        }
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
        let output = child.wait_with_output().unwrap();
        if output.status.code() != Some(130) {
            // The import had just ended.
            continue;
        }
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("the same command resumes there"), "{told}");
        run_to_the_end(&rig, &outbox);
        assert!(rig.bodies(&outbox) == rig.bodies("whole.db"));
        return;
    }
    panic!("no import was interrupted");
}
