//! What is printed of the requests: a line each for people, or a JSON object each for programs.

use std::io;

use intercom_sandbox::{Outcome, ReceivedEvent, ReceivedRequest};

/// How requests are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Lines,
    Json,
    Nothing,
}

pub(crate) struct Log {
    output: Output,
}

impl Log {
    pub(crate) fn new(output: Output) -> Self {
        Self { output }
    }

    /// Prints what is about no request: on standard error where a program reads the requests.
    pub(crate) fn remark(&mut self, text: &str) -> io::Result<()> {
        match self.output {
            Output::Lines | Output::Nothing => print(io::stdout(), text),
            Output::Json => print(io::stderr(), text.trim_start()),
        }
    }

    /// Prints requests in their order.
    pub(crate) fn requests(&mut self, requests: &[ReceivedRequest]) -> io::Result<()> {
        for request in requests {
            match self.output {
                Output::Lines => print(io::stdout(), &lines(request))?,
                Output::Json => print(io::stdout(), &serde_json::to_string(request)?)?,
                Output::Nothing => {}
            }
        }
        Ok(())
    }
}

fn print(mut stream: impl io::Write, text: &str) -> io::Result<()> {
    writeln!(stream, "{text}")?;
    stream.flush()
}

/// A line for what came, and one for each hint at how to mend it.
fn lines(request: &ReceivedRequest) -> String {
    let mut lines = match (request.event(), request.outcome()) {
        (Some(event), Outcome::Duplicate) => format!("duplicate {}", described(&event)),
        (Some(event), _) => format!("event {}", described(&event)),
        (None, _) => not_an_event(request),
    };
    if let Some(fault) = request.fault() {
        lines += &format!(" (fault: {fault})");
    }
    for hint in request.problems().iter().filter_map(|problem| problem.hint()) {
        lines += &format!("\n  {hint}");
    }
    lines
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
    for (key, value) in event.metadata() {
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
