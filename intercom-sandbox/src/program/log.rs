//! The program's output: a line per request for people, or a JSON object per request for programs.

use std::fmt::Write as _;
use std::io;

use thiserror::Error;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{Outcome, ReceivedEvent, ReceivedRequest};

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Lines,
    Json,
    Nothing,
}

/// Writing the output failed.
#[derive(Debug, Error)]
#[error("cannot print what comes in, and ends")]
pub(crate) struct CannotPrint(#[source] pub(crate) io::Error);

/// Prints on a separate thread, so that a reader that stops reading delays only the output.
pub(crate) struct Log {
    output: Output,
    /// The print in progress, which continues if its waiter is dropped.
    printing: Option<JoinHandle<io::Result<()>>>,
}

impl Log {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, printing: None }
    }

    /// Prints a remark that is not about a request, on standard error if standard output has JSON.
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

    /// Prints after the print in progress. The job starts at the first poll, so that dropping the
    /// wait loses nothing.
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

/// Returns a line for the request, and a line for each hint.
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

/// Returns one line with control characters escaped, because senders wrote much of the text.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            // Writing to a `String` cannot fail.
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

/// Returns the line of a request without an event, with its answer, which has the reasons.
fn not_an_event(request: &ReceivedRequest) -> String {
    let status = request.status().map_or_else(|| "no answer".to_owned(), |code| code.to_string());
    let answer = String::from_utf8_lossy(request.answer());
    let line = format!("{} {} {status} {answer}", request.method(), request.path());
    line.trim_end().to_owned()
}
