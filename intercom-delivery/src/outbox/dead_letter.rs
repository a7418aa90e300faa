//! Events that the engine gave up, and why.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use intercom_core::{DataEvent, SendError, rules};

use super::EventId;

/// An event that the engine gave up. Redriving sends it after all.
///
/// `Display` is a line for a log. Neither it nor `Debug` shows the contact or a value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its number in the outbox.
    pub id: EventId,
    /// The event, with the bytes of its last attempt.
    pub event: DataEvent,
    /// Why it became a dead letter.
    pub reason: DeadLetterReason,
    /// The last failure, if there was an attempt.
    pub failure: Option<Failure>,
    /// The number of attempts.
    pub attempts: u32,
    /// When it became a dead letter.
    pub died_at: SystemTime,
}

impl DeadLetter {
    /// Creates a dead letter without an attempt.
    pub fn new(
        id: EventId,
        event: DataEvent,
        reason: DeadLetterReason,
        died_at: SystemTime,
    ) -> Self {
        DeadLetter { id, event, reason, failure: None, attempts: 0, died_at }
    }

    /// Sets the last failure. The default is none.
    #[must_use]
    pub fn with_failure(mut self, failure: impl Into<Option<Failure>>) -> Self {
        self.failure = failure.into();
        self
    }

    /// Sets the number of attempts. The default is 0.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeadLetter { id, event, reason, failure, attempts, .. } = self;
        let name = event.event_name().escape_debug();
        write!(f, "dead letter {id} `{name}`: {reason} (attempts: {attempts})")?;
        failure.as_ref().map_or(Ok(()), |failure| write!(f, ": {failure}"))
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $reason:ident = $text:literal,)*) => {
        /// Why an event became a dead letter. Every loss has one of these names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum DeadLetterReason {
            $($(#[doc = $doc])* $reason,)*
        }

        impl DeadLetterReason {
            /// Every reason.
            pub const ALL: &'static [DeadLetterReason] = &[$(DeadLetterReason::$reason),*];

            /// Returns the name in stores, logs and metrics, such as `unknown_contact`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(DeadLetterReason::$reason => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// Intercom refused the event, or it was invalid when the outbox accepted it.
    Rejected = "rejected",
    /// The workspace has too many event names, so Intercom takes no new one.
    EventNameLimit = "event_name_limit",
    /// Several contacts match the identifier.
    AmbiguousContact = "ambiguous_contact",
    /// Intercom does not know the contact.
    UnknownContact = "unknown_contact",
    /// The contact is archived, and Intercom takes no events for it.
    ArchivedContact = "archived_contact",
    /// Intercom did not create the contact.
    ContactNotCreated = "contact_not_created",
    /// The event is older than the maximum age.
    AgeLimit = "age_limit",
    /// The event has had the maximum number of attempts.
    AttemptLimit = "attempt_limit",
    /// The transport panicked three times, with the event or with the creation of its contact.
    Panic = "panic",
    /// The event failed repeatedly while Intercom took others.
    Poison = "poison",
    /// An operator buried it.
    Buried = "buried",
}

impl fmt::Display for DeadLetterReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error of parsing a [`DeadLetterReason`]: the text is not the
/// [name](DeadLetterReason::as_str) of a reason.
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

/// The part of a [`SendError`] that an outbox stores and a tool shows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The error and its sources, as one sentence. It names no contact and no value.
    pub message: String,
    /// The HTTP status, if Intercom answered.
    pub status: Option<u16>,
    /// The id that Intercom gave the request.
    pub request_id: Option<String>,
}

impl Failure {
    /// Creates a failure without an answer.
    pub fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), status: None, request_id: None }
    }

    /// Sets the HTTP status of the answer. The default is none.
    #[must_use]
    pub fn with_status(mut self, status: impl Into<Option<u16>>) -> Self {
        self.status = status.into();
        self
    }

    /// Sets the id that Intercom gave the request. The default is none.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<Option<String>>) -> Self {
        self.request_id = request_id.into();
        self
    }
}

impl From<&SendError> for Failure {
    fn from(error: &SendError) -> Self {
        Failure {
            // With its sources, because an operator needs the cause, and nothing else stores it.
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

/// Selects dead letters or pending events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selection {
    /// Every event.
    All,
    /// The events of this name. Case does not matter, nor whether an accented letter is one
    /// character or a letter and a combining accent.
    Name(String),
    /// The dead letters with this reason. Selects no pending event.
    Reason(DeadLetterReason),
    /// The event with this id.
    One(EventId),
}

impl Selection {
    /// Returns whether this selects the dead letter.
    pub fn contains(&self, letter: &DeadLetter) -> bool {
        match self {
            Selection::All => true,
            Selection::Name(name) => is_named(&letter.event, name),
            Selection::Reason(reason) => letter.reason == *reason,
            Selection::One(id) => letter.id == *id,
        }
    }

    /// Returns whether this selects the pending event.
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
    rules::fold(event.event_name()) == rules::fold(name)
}
