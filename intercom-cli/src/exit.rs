//! The exit codes.

use std::process::ExitCode;

use intercom_core::SendError;
use serde::{Serialize, Serializer};

/// An exit code. Scripts rely on the numbers: they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything succeeded.
    Done = 0,
    /// The call failed, and will fail again.
    Failed = 1,
    /// The command line, the configuration or the input is wrong. clap ends with the same number.
    Usage = 2,
    /// A check found something.
    Findings = 3,
    /// An operator must act: the token, the subscription, the network, the disk or the database is wrong.
    Operator = 4,
    /// The same call may work later: an outage, a rate limit, a full outbox.
    Later = 5,
    /// A part of the call succeeded, and a part was refused.
    InPart = 6,
    /// Ctrl-C, or SIGTERM.
    Interrupted = 130,
}

/// The exit codes, for `--help` and the manual page.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed, and the same call will fail again
  2    wrong usage: command line, configuration or input
  3    a check found something
  4    an operator must act: token, Intercom subscription, network, disk or database
  5    try later: an outage, a rate limit, a full outbox
  6    done in part: some of it was refused
  130  interrupted";

impl Exit {
    /// Returns the code for a refused event.
    pub(crate) fn of(error: &SendError) -> Self {
        match error {
            _ if error.is_retryable() => Exit::Later,
            _ if error.needs_operator() => Exit::Operator,
            _ if error.invalid_event().is_some() => Exit::Usage,
            _ => Exit::Failed,
        }
    }

    pub(crate) fn number(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.number())
    }
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}
