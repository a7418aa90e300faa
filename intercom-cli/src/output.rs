//! The program's output: data on standard output, all else on standard error.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use crate::exit::Exit;
use crate::failure::{Failure, FailureReport};

/// The version of the JSON lines. A version may gain a field, but never changes or loses one.
const VERSION: u32 = 1;

/// A piece of data: `Display` for people, `Serialize` for programs.
pub(crate) trait Printable: Serialize + Display {
    /// The `type` of the JSON line.
    const TYPE: &'static str;
}

/// One line of JSON.
#[derive(Serialize)]
struct Envelope<'a, T> {
    v: u32,
    r#type: &'static str,
    #[serde(flatten)]
    record: &'a T,
}

/// Where and how the program prints.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Output {
    /// Prints data and errors as JSON lines.
    pub(crate) json: bool,
    /// Prints no remarks.
    pub(crate) quiet: bool,
    /// Logs go to standard error too, between the remarks.
    pub(crate) logs: bool,
}

impl Output {
    /// Prints data on standard output: as JSON with `--json`, else as text.
    ///
    /// # Errors
    ///
    /// Fails with [`Failure::PipeClosed`] when the reader has gone. A command that only reads ends
    /// then.
    pub(crate) fn data<R: Printable>(self, record: &R) -> Result<(), Failure> {
        if self.json { self.text(json_line(R::TYPE, record)) } else { self.text(record) }
    }

    /// Prints data that has one form.
    ///
    /// # Errors
    ///
    /// As [`data`](Self::data).
    pub(crate) fn text(self, text: impl Display) -> Result<(), Failure> {
        let mut stdout = anstream::stdout().lock();
        let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::PipeClosed,
            _ => Failure::new(
                Exit::Failed,
                "output",
                format!("cannot write to standard output: {error}"),
            ),
        })
    }

    /// Prints a remark, which is not data, on standard error.
    pub(crate) fn remark(self, text: impl Display) {
        if !self.quiet {
            // With standard error closed, no reader is left.
            let _ = writeln!(anstream::stderr().lock(), "{text}");
        }
    }

    /// Prints why the program ends, on standard error.
    pub(crate) fn failure(self, failure: &Failure) {
        let Failure::Reported(report) = failure else { return };
        let mut stderr = anstream::stderr().lock();
        let _ = if self.json {
            writeln!(stderr, "{}", json_line("error", report))
        } else {
            let FailureReport { message, .. } = report;
            let style = clap::builder::styling::AnsiColor::Red.on_default().bold();
            writeln!(stderr, "{style}error{style:#}: {message}")
        };
    }
}

fn json_line(r#type: &'static str, record: &impl Serialize) -> String {
    let envelope = Envelope { v: VERSION, r#type, record };
    serde_json::to_string(&envelope).expect("the program's records are objects with text for keys")
}

/// Returns a number with its noun, which is singular for 1.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
