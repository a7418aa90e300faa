//! Captures the log lines about a file, from any thread.

use std::io::{self, Write};
use std::sync::{Mutex, Once};

use tracing_subscriber::filter::LevelFilter;

use super::support::Place;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts the capture. The tests of this process share the log.
pub(crate) fn begin() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let log = tracing_subscriber::fmt().with_ansi(false).with_max_level(LevelFilter::WARN);
        log.with_writer(|| Log).init();
    });
}

/// Returns the lines about this place's file.
pub(crate) fn about(place: &Place) -> Vec<String> {
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    let path = place.folder.path().to_str().unwrap();
    log.lines().filter(|line| line.contains(path)).map(str::to_owned).collect()
}
