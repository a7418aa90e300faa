//! Events that will not be delivered, and why.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use intercom_core::{DataEvent, SendError};

use super::EventId;

/// An event that will not be delivered, unless it is redriven.
///
/// `Display` is a line for a log. Neither it nor `Debug` shows the contact or a value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its number in the outbox.
    pub id: EventId,
    /// The event, as it was to be sent.
    pub event: DataEvent,
    /// Why it ended here.
    pub reason: DeadLetterReason,
    /// The last answer, if it was tried.
    pub failure: Option<Failure>,
    /// How many attempts were spent on it.
    pub attempts: u32,
    /// When it ended here.
    pub died_at: SystemTime,
}

impl DeadLetter {
    /// Creates a dead letter that was never attempted.
    pub fn new(
        id: EventId,
        event: DataEvent,
        reason: DeadLetterReason,
        died_at: SystemTime,
    ) -> Self {
        DeadLetter { id, event, reason, failure: None, attempts: 0, died_at }
    }

    /// Sets the last answer. By default there is none.
    #[must_use]
    pub fn with_failure(mut self, failure: impl Into<Option<Failure>>) -> Self {
        self.failure = failure.into();
        self
    }

    /// Sets how many attempts were spent on it. By default none.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeadLetter { id, event, reason, failure, attempts, .. } = self;
        let name = event.name().escape_debug();
        write!(f, "dead letter {id} `{name}`: {reason} (attempts: {attempts})")?;
        failure.as_ref().map_or(Ok(()), |failure| write!(f, ": {failure}"))
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $reason:ident = $text:literal,)*) => {
        /// Why an event ended in the dead letters. Every loss has one of these names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum DeadLetterReason {
            $($(#[doc = $doc])* $reason,)*
        }

        impl DeadLetterReason {
            /// All of them.
            pub const ALL: &'static [DeadLetterReason] = &[$(DeadLetterReason::$reason),*];

            /// Its name in stores, logs and metrics, such as `unknown_contact`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(DeadLetterReason::$reason => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// Intercom refused the event, or it was invalid from the start.
    Rejected = "rejected",
    /// Intercom takes no new event name.
    EventNameLimit = "event_name_limit",
    /// Several contacts answer to the identifier.
    AmbiguousContact = "ambiguous_contact",
    /// Intercom does not know the contact.
    UnknownContact = "unknown_contact",
    /// The contact is archived, and Intercom takes no events for it.
    ArchivedContact = "archived_contact",
    /// The contact could not be created.
    ContactNotCreated = "contact_not_created",
    /// The event became older than it may.
    AgeLimit = "age_limit",
    /// As many attempts were spent on it as may be.
    AttemptLimit = "attempt_limit",
    /// The transport panicked over it, again and again.
    Panic = "panic",
    /// It failed again and again while other events got through.
    Poison = "poison",
    /// An operator buried it.
    Buried = "buried",
}

impl fmt::Display for DeadLetterReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is the name of no [`DeadLetterReason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a reason for a dead letter")]
#[non_exhaustive]
pub struct UnknownDeadLetterReason;

impl FromStr for DeadLetterReason {
    type Err = UnknownDeadLetterReason;

    fn from_str(text: &str) -> Result<Self, UnknownDeadLetterReason> {
        let reason = DeadLetterReason::ALL.iter().find(|reason| reason.as_str() == text);
        reason.copied().ok_or(UnknownDeadLetterReason)
    }
}

/// What is kept of a [`SendError`]: fit to be stored and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The whole error in words, with what is behind it. It names no contact and no value.
    pub message: String,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// The id that Intercom gave the request.
    pub request_id: Option<String>,
}

impl Failure {
    /// Creates a failure in these words, without an answer.
    pub fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), status: None, request_id: None }
    }

    /// Sets the HTTP status of the answer. By default there is none.
    #[must_use]
    pub fn with_status(mut self, status: impl Into<Option<u16>>) -> Self {
        self.status = status.into();
        self
    }

    /// Sets the id that Intercom gave the request. By default there is none.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<Option<String>>) -> Self {
        self.request_id = request_id.into();
        self
    }
}

impl From<&SendError> for Failure {
    fn from(error: &SendError) -> Self {
        Failure {
            // With its sources: an operator needs the cause, and nobody else keeps it.
            message: format!("{error:?}"),
            status: error.status(),
            request_id: error.request_id().map(str::to_owned),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Which dead letters, or which pending events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selection {
    /// All of them.
    All,
    /// Those of this event name. Upper and lower case are the same, as they are to Intercom.
    Name(String),
    /// Those that died for this reason. No pending event is among them.
    Reason(DeadLetterReason),
    /// This one.
    One(EventId),
}

impl Selection {
    /// Whether this dead letter is among them.
    pub fn contains(&self, letter: &DeadLetter) -> bool {
        match self {
            Selection::All => true,
            Selection::Name(name) => is_named(&letter.event, name),
            Selection::Reason(reason) => letter.reason == *reason,
            Selection::One(id) => letter.id == *id,
        }
    }

    /// Whether this pending event is among them.
    pub fn contains_pending(&self, id: EventId, event: &DataEvent) -> bool {
        match self {
            Selection::All => true,
            Selection::Name(name) => is_named(event, name),
            Selection::Reason(_) => false,
            Selection::One(one) => id == *one,
        }
    }
}

fn is_named(event: &DataEvent, name: &str) -> bool {
    event.name().to_lowercase() == name.to_lowercase()
}
