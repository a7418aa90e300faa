//! The program's output: for each request a line, or a JSON object.

use std::fmt::Write as _;
use std::io;

use thiserror::Error;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::api::path_without_identifiers;
use crate::{Outcome, Problem, ReceivedEvent, ReceivedRequest};

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Lines(Values),
    /// Whole requests, with contacts and values.
    Json,
    Nothing,
}

/// Whether lines have contacts and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    Shown,
    Hidden,
}

/// Writing the output failed.
#[derive(Debug, Error)]
#[error("cannot print the requests")]
pub(crate) struct CannotPrint(#[source] pub(crate) io::Error);

/// Prints on a separate thread, so that a reader that stops reading delays only the output.
pub(crate) struct Log {
    output: Output,
    /// The print in progress. Dropping the future that waits for it does not stop it.
    printing: Option<JoinHandle<io::Result<()>>>,
}

impl Log {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, printing: None }
    }

    /// Prints a remark that is not about a request, on standard error if standard output has JSON.
    pub(crate) async fn remark(&mut self, text: String) -> io::Result<()> {
        match self.output {
            Output::Lines(_) | Output::Nothing => {
                self.print(move || print(io::stdout(), &text)).await
            }
            Output::Json => self.print(move || print(io::stderr(), text.trim_start())).await,
        }
    }

    /// Prints requests in their order.
    pub(crate) async fn requests(&mut self, requests: Vec<ReceivedRequest>) -> io::Result<()> {
        let write: fn(&ReceivedRequest) -> io::Result<String> = match self.output {
            Output::Lines(Values::Shown) => |request| Ok(lines(request, Values::Shown)),
            Output::Lines(Values::Hidden) => |request| Ok(lines(request, Values::Hidden)),
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

/// Returns a line for the request, and a line for each problem and warning.
fn lines(request: &ReceivedRequest, values: Values) -> String {
    let mut lines = match (request.event(), request.outcome()) {
        (Some(event), Outcome::Duplicate) => format!("duplicate {}", event_text(&event, values)),
        (Some(event), _) => format!("event {}", event_text(&event, values)),
        (None, _) => request_text(request, values),
    };
    if let Some(fault) = request.fault() {
        lines += &format!(" (fault: {fault})");
    }
    lines = escape_controls(&lines);
    let problems = request.problems().iter().map(|problem| problem_text(problem, values));
    for remark in problems.chain(request.warnings()) {
        lines += "\n  ";
        lines += &escape_controls(&remark);
    }
    lines
}

/// Returns one line with control characters escaped, because senders wrote much of the text.
fn escape_controls(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            // Writing to a `String` cannot fail.
            let _ = write!(escaped, "{}", character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Returns the name, the kinds of the contact's identifiers, and the keys.
fn event_text(event: &ReceivedEvent, values: Values) -> String {
    let contact =
        [("id", event.contact_id()), ("user_id", event.user_id()), ("email", event.email())];
    let mut line = event.name().to_owned();
    for (kind, value) in contact {
        if let Some(value) = value {
            line += &match values {
                Values::Shown => format!(" {kind}={value}"),
                Values::Hidden => format!(" {kind}"),
            };
        }
    }
    for (key, value) in &*event.masked_metadata() {
        line += &match values {
            Values::Shown => format!(" {key}={value}"),
            Values::Hidden => format!(" {key}"),
        };
    }
    if !event.dropped_keys().is_empty() {
        line += &format!(" (dropped: {})", event.dropped_keys().join(", "));
    }
    line
}

/// Returns the line of a request without an event. An answer can have contacts and values.
fn request_text(request: &ReceivedRequest, values: Values) -> String {
    let status = request.status().map_or_else(|| "no answer".to_owned(), |code| code.to_string());
    let (path, answer) = match values {
        Values::Shown => (request.path().to_owned(), request.shown_answer()),
        Values::Hidden => (path_without_identifiers(request.path()), "".into()),
    };
    let line = format!("{} {path} {status} {answer}", request.method());
    line.trim_end().to_owned()
}

/// Returns the code, the field and the hint. The message can have an id or a value.
fn problem_text(problem: &Problem, values: Values) -> String {
    let mut line = problem.code().to_owned();
    if let Some(field) = problem.field() {
        line += &format!(" {field}");
    }
    let hint = match values {
        Values::Shown => problem.hint(),
        Values::Hidden => problem.hint_without_id(),
    };
    if let Some(hint) = hint {
        line += &format!(": {hint}");
    }
    line
}
