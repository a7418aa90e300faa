//! The sandbox as a program, for those who make it a command of their own: `arguments` become a sandbox, `greeting` says
//! where it is, `log` tells every request, and `signals` end it.

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

/// How long requests under way may still take when the program is told to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs the sandbox until Ctrl-C, or SIGTERM, ends it.
///
/// # Errors
///
/// Fails when it cannot start, when what comes in cannot be printed, and when the state file cannot be written.
pub async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    // A signal that comes while the program starts ends it too.
    let mut signals = Signals::listen()?;
    let faults = arguments.faults.clone();
    let output = arguments.output();
    let knows_everybody = arguments.know_everybody;
    let mut sandbox = arguments.into_builder()?.start().await.map_err(with_flag)?;
    for fault in faults {
        sandbox.inject(fault);
    }

    let mut log = Log::new(output);
    let mut follower = sandbox.follow_new();
    let talked = tokio::select! {
        // Whoever is told what came in begins to print it, also where a signal came with it.
        biased;
        talked = talk(&sandbox, knows_everybody, &mut follower, &mut log) => talked,
        () = signals.next() => Ok(()),
    };

    let end = async {
        sandbox.graceful_shutdown(PATIENCE).await;
        talked?;
        // A reader of standard output that has stopped does not delay the exit.
        timeout(PATIENCE, farewell(&sandbox, &mut follower, &mut log)).await.unwrap_or(Ok(()))
    };
    let ended = tokio::select! {
        ended = end => ended,
        // A second signal ends it at once.
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

/// Prints where it is, and what comes in for as long as it does.
async fn talk(
    sandbox: &Sandbox,
    knows_everybody: bool,
    follower: &mut Follower,
    log: &mut Log,
) -> io::Result<()> {
    log.remark(greeting::greeting(sandbox, knows_everybody)).await?;
    loop {
        log.requests(follower.next().await).await?;
    }
}

/// Prints what came in while it ended, and the sums.
async fn farewell(sandbox: &Sandbox, follower: &mut Follower, log: &mut Log) -> io::Result<()> {
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

/// Says which flag to use where a port is taken.
fn with_flag(error: StartError) -> Box<dyn Error> {
    match error {
        StartError::PortTaken { .. } => {
            format!("{error}: choose another with --port, or any that is free with --port 0").into()
        }
        error => error.into(),
    }
}
