//! `--verbose`: the logs of the libraries, on standard error.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts to log, with a level by the number of flags. Returns whether it logs.
///
/// Excludes the logs of other crates, because an HTTP client may log a token or a body.
pub(crate) fn start(verbose: u8) -> bool {
    let level = match verbose {
        0 => return false,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let logs = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    let ours = Targets::new().with_target("intercom", level);
    tracing_subscriber::registry().with(logs).with(ours).try_init().is_ok()
}
