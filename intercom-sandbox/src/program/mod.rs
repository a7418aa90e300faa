//! The program `intercom-sandbox` as a library, so that another program can have it as a command:
//! parse [`Arguments`] with clap, and pass them to [`run`].

mod arguments;
mod contacts_file;
mod events_lock;
mod greeting;
mod limits;
mod log;
mod open_rules;
mod signals;
mod values;

use std::error::Error;
use std::future::ready;
use std::io;
use std::time::Duration;

use tokio::time::timeout;

use crate::{Follower, Sandbox, StartError};

pub use arguments::{Arguments, EXAMPLES};
use log::{CannotPrint, Log};
use signals::Signals;

/// How long requests in flight may take after a signal.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs the sandbox until Ctrl-C or SIGTERM.
///
/// # Errors
///
/// If the sandbox cannot start, or writing the output or the state file fails.
pub async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    // A signal during the start ends the program too.
    let mut signals = Signals::listen()?;
    let faults = arguments.faults.clone();
    let output = arguments.output();
    let (knows_everybody, values) = (arguments.know_everybody, arguments.values());
    let mut sandbox = arguments.into_builder()?.start().await.map_err(with_flag)?;
    for fault in faults {
        sandbox.inject(fault);
    }

    let mut log = Log::new(output);
    let greeting = greeting::greeting(&sandbox, knows_everybody, values);
    let mut follower = sandbox.follow_new();
    let printed = tokio::select! {
        // Prints requests that arrived with the signal.
        biased;
        printed = print_requests(greeting, &mut follower, &mut log) => printed,
        () = signals.next() => Ok(()),
    };

    let end = async {
        sandbox.graceful_shutdown(SHUTDOWN_TIMEOUT).await;
        printed?;
        // A blocked reader of standard output must not delay the exit.
        timeout(SHUTDOWN_TIMEOUT, print_rest(&sandbox, &mut follower, &mut log))
            .await
            .unwrap_or(Ok(()))
    };
    let ended = tokio::select! {
        ended = end => ended,
        // A second signal ends the program at once.
        () = signals.next() => Ok(()),
    };
    match ended {
        // The reader of standard output has closed it, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        ended => ended.map_err(CannotPrint)?,
    }
    sandbox
        .save_state()
        .await
        .map_err(|error| format!("cannot write the state file: {error}").into())
}

/// Prints the greeting, then requests until the sandbox ends.
async fn print_requests(
    greeting: String,
    follower: &mut Follower,
    log: &mut Log,
) -> io::Result<()> {
    log.remark(greeting).await?;
    loop {
        log.requests(follower.next().await).await?;
    }
}

/// Prints the last requests, and the totals.
async fn print_rest(sandbox: &Sandbox, follower: &mut Follower, log: &mut Log) -> io::Result<()> {
    tokio::select! {
        biased;
        requests = follower.next() => log.requests(requests).await?,
        () = ready(()) => {}
    }
    let (events, duplicates) = (sandbox.event_count(), sandbox.duplicate_count());
    let requests = sandbox.request_count();
    let mut sums = format!("\nevents: {events}, duplicates: {duplicates}, requests: {requests}");
    let never_sent = sandbox.never_sent();
    if !never_sent.is_empty() {
        sums += &format!("\nin the lock, and never sent: {}", never_sent.join(", "));
    }
    log.remark(sums).await
}

/// Adds the flag that fixes a taken port.
fn with_flag(error: StartError) -> Box<dyn Error> {
    match error {
        StartError::PortTaken { .. } => {
            format!("{error}: choose another port with --port, or a free one with --port 0").into()
        }
        error => error.into(),
    }
}
