//! The progress bar, on a terminal and without one.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use nix::pty::{Winsize, openpty};

use crate::rig::Rig;

/// Reads a terminal until the last program has closed it.
fn read(mut terminal: File) -> String {
    let (mut shown, mut buffer) = (Vec::new(), [0; 4096]);
    // A closed terminal reads as an error.
    while let Ok(length @ 1..) = terminal.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&shown).into_owned()
}

#[test]
fn a_terminal_shows_a_bar_with_rate_and_time_left() {
    let rig = Rig::new();
    let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    let mut command = rig.command("events.db");
    command.env("TERM", "xterm").stdout(Stdio::piped()).stderr(pty.slave);
    let child = command.spawn().unwrap();
    // The command keeps a handle of the terminal.
    drop(command);
    let shown = read(File::from(pty.master));
    let output = child.wait_with_output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("events.csv: accepted "));
    for part in ["events.csv", "%", " rows, ", "/s, ", " left"] {
        assert!(shown.contains(part), "{part:?} is not in {shown:?}");
    }
    assert!(shown.len() < 20_000, "{} bytes for one bar", shown.len());
}

#[test]
fn without_a_terminal_there_is_no_bar() {
    let rig = Rig::new();
    let output = rig.command("events.db").output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
