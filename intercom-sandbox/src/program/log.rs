//! What is printed of the requests: a line each for people, or a JSON object each for programs.

use std::fmt::Write as _;
use std::io;

use thiserror::Error;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{Outcome, ReceivedEvent, ReceivedRequest};

/// How requests are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Lines,
    Json,
    Nothing,
}

/// Nobody can be told what comes in.
#[derive(Debug, Error)]
#[error("cannot print what comes in, and ends")]
pub(crate) struct CannotPrint(#[source] pub(crate) io::Error);

/// Prints on a thread of its own: who does not read what is printed keeps nobody else waiting.
pub(crate) struct Log {
    output: Output,
    /// What is being printed. It goes on where nobody waits for it any more.
    printing: Option<JoinHandle<io::Result<()>>>,
}

impl Log {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, printing: None }
    }

    /// Prints what is about no request: on standard error where a program reads the requests.
    pub(crate) async fn remark(&mut self, text: String) -> io::Result<()> {
        match self.output {
            Output::Lines | Output::Nothing => self.print(move || print(io::stdout(), &text)).await,
            Output::Json => self.print(move || print(io::stderr(), text.trim_start())).await,
        }
    }

    /// Prints requests in their order.
    pub(crate) async fn requests(&mut self, requests: Vec<ReceivedRequest>) -> io::Result<()> {
        let write: fn(&ReceivedRequest) -> io::Result<String> = match self.output {
            Output::Lines => |request| Ok(lines(request)),
            Output::Json => |request| Ok(serde_json::to_string(request)?),
            Output::Nothing => return Ok(()),
        };
        self.print(move || {
            requests.iter().try_for_each(|request| print(io::stdout(), &write(request)?))
        })
        .await
    }

    /// Prints after what is being printed. The job is begun at the first poll, so that nothing is lost
    /// where the wait for it is given up.
    async fn print(
        &mut self,
        job: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        self.finish().await?;
        self.printing = Some(spawn_blocking(job));
        self.finish().await
    }

    async fn finish(&mut self) -> io::Result<()> {
        let Some(printing) = &mut self.printing else { return Ok(()) };
        let printed = printing.await;
        self.printing = None;
        printed?
    }
}

fn print(mut stream: impl io::Write, text: &str) -> io::Result<()> {
    writeln!(stream, "{text}")?;
    stream.flush()
}

/// A line for what came, and one for each hint at how to fix it.
fn lines(request: &ReceivedRequest) -> String {
    let mut lines = match (request.event(), request.outcome()) {
        (Some(event), Outcome::Duplicate) => format!("duplicate {}", described(&event)),
        (Some(event), _) => format!("event {}", described(&event)),
        (None, _) => not_an_event(request),
    };
    if let Some(fault) = request.fault() {
        lines += &format!(" (fault: {fault})");
    }
    lines = plain(&lines);
    let hints = request.problems().iter().filter_map(|problem| problem.hint().map(str::to_owned));
    for remark in hints.chain(request.warnings()) {
        lines += "\n  ";
        lines += &plain(&remark);
    }
    lines
}

/// On one line, and without what a terminal would take for an order: much of it was written by
/// whoever sent the request.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            // Writing to a string does not fail.
            let _ = write!(plain, "{}", character.escape_default());
        } else {
            plain.push(character);
        }
    }
    plain
}

fn described(event: &ReceivedEvent) -> String {
    let contact =
        [("id", event.contact_id()), ("user_id", event.user_id()), ("email", event.email())];
    let mut line = event.name().to_owned();
    for (kind, value) in contact {
        if let Some(value) = value {
            line += &format!(" {kind}={value}");
        }
    }
    for (key, value) in &*event.masked_metadata() {
        line += &format!(" {key}={value}");
    }
    if !event.dropped_keys().is_empty() {
        line += &format!(" (dropped: {})", event.dropped_keys().join(", "));
    }
    line
}

/// With what was answered: that is where the reasons are.
fn not_an_event(request: &ReceivedRequest) -> String {
    let status = request.status().map_or_else(|| "no answer".to_owned(), |code| code.to_string());
    let answer = String::from_utf8_lossy(request.answer());
    let line = format!("{} {} {status} {answer}", request.method(), request.path());
    line.trim_end().to_owned()
}
