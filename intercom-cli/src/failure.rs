//! Why a command ended early: a sentence that says what to do, and the exit code.

use std::error::Error;
use std::io;

use intercom_core::{ErrorKind, InvalidEvent, SendError};
use intercom_delivery::outbox::{AcceptError, OutboxError};
use intercom_http::{BuildError, ReadError};
use intercom_postgres::ConnectError;
use intercom_sqlite::OpenError;
use serde::Serialize;

use crate::exit::Exit;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A failure, with a message for standard error.
    Reported(FailureReport),
    /// The reader of standard output has closed it, as `head` does. The end is quiet.
    PipeClosed,
}

/// The report of a failure.
#[derive(Debug, Serialize)]
pub(crate) struct FailureReport {
    /// The exit code.
    pub(crate) exit: Exit,
    /// A name for programs, such as `unauthorized`.
    pub(crate) code: String,
    /// What happened, to what, and what to do.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: impl Into<String>, message: impl Into<String>) -> Self {
        Failure::Reported(FailureReport { exit, code: code.into(), message: message.into() })
    }

    /// Reports a wrong command line, configuration or input.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure::new(Exit::Usage, "usage", message)
    }

    /// Reports a file that cannot be read or written.
    pub(crate) fn file(what: impl std::fmt::Display, error: &io::Error) -> Self {
        Failure::new(Exit::Failed, "file", format!("{what}: {error}"))
    }

    /// Reports that Ctrl-C ended the command early.
    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Failure::new(Exit::Interrupted, "interrupted", message)
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::Reported(report) => report.exit,
            Failure::PipeClosed => Exit::Done,
        }
    }
}

/// Returns an error and its sources on one line.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words += &format!(": {error}");
        source = error.source();
    }
    words
}

/// Returns the kind's name in lower case with `_` between words.
pub(crate) fn kind_name(kind: ErrorKind) -> String {
    let mut name = String::new();
    for letter in format!("{kind:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Failure::new(Exit::of(&error), kind_name(error.kind()), with_sources(&error))
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let (exit, code) = match &error {
            ReadError::Request(error) => {
                return Failure::new(Exit::of(error), kind_name(error.kind()), with_sources(error));
            }
            _ if error.needs_operator() => (Exit::Operator, "unexpected_answer"),
            ReadError::UnknownContact { .. } => (Exit::Failed, "unknown_contact"),
            ReadError::InvalidContact(_)
            | ReadError::NoUserId
            | ReadError::InvalidSummary { .. } => (Exit::Usage, "usage"),
            _ => (Exit::Failed, "unreadable"),
        };
        // The library's text advises a programmer; this advises an operator.
        let message = match &error {
            ReadError::NoUserId => {
                "nothing was sent: summaries are submitted by user id, and the contact has \
                                    none; name it with --user-id"
                    .to_owned()
            }
            _ => error.to_string(),
        };
        Failure::new(exit, code, message)
    }
}

impl From<InvalidEvent> for Failure {
    fn from(error: InvalidEvent) -> Self {
        Failure::new(Exit::Usage, "invalid_event", error.to_string())
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let exit = match error {
            BuildError::Client(_) | BuildError::NoTlsProvider => Exit::Operator,
            _ => Exit::Usage,
        };
        Failure::new(exit, "transport", with_sources(&error))
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let exit = match error {
            OpenError::Missing { .. }
            | OpenError::NoOutbox { .. }
            | OpenError::MissingFolder { .. }
            | OpenError::NotAPath { .. }
            | OpenError::Folder { .. }
            | OpenError::NotADatabase { .. }
            | OpenError::AnotherApplication { .. } => Exit::Failed,
            _ => Exit::Operator,
        };
        // The library's text advises a programmer; this advises an operator.
        let message = match &error {
            OpenError::Missing { path } => format!(
                "{} does not exist; correct the path, or make it with `intercom send --outbox`",
                path.display()
            ),
            OpenError::NoOutbox { path } => {
                format!("{} contains no outbox; correct the path", path.display())
            }
            OpenError::OlderSchema { path, found } => format!(
                "{} has tables of version {found}, from an earlier intercom-sqlite; start the \
                 application with the current version, which upgrades them",
                path.display()
            ),
            _ => with_sources(&error),
        };
        Failure::new(exit, "outbox", message)
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let exit = match error {
            ConnectError::Url { .. } => Exit::Usage,
            ConnectError::OlderSchema { found: 0 } => Exit::Failed,
            ConnectError::Unreachable { .. } => Exit::Later,
            _ => Exit::Operator,
        };
        // The library's text advises a programmer; this advises an operator.
        let message = match &error {
            ConnectError::OlderSchema { found: 0 } => "the database has no outbox in this schema; correct \
                                                       the schema, or make it with `intercom send --outbox`"
                .to_owned(),
            ConnectError::OlderSchema { found } => format!(
                "the outbox has tables of version {found}, from an earlier intercom-postgres; \
                 start the application with the current version, which upgrades them"
            ),
            _ => with_sources(&error),
        };
        Failure::new(exit, "outbox", message)
    }
}

impl From<OutboxError> for Failure {
    fn from(error: OutboxError) -> Self {
        Failure::new(Exit::Operator, "outbox", with_sources(&error))
    }
}

impl From<AcceptError> for Failure {
    fn from(error: AcceptError) -> Self {
        let exit = match error {
            AcceptError::Full | AcceptError::Unavailable(_) => Exit::Later,
            AcceptError::ExceedsCapacity => Exit::Failed,
            _ => Exit::Operator,
        };
        Failure::new(exit, "outbox", with_sources(&error))
    }
}
