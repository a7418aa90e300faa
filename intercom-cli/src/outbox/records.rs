//! Records of an outbox, for the output. Lists show neither the contact nor a value.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use intercom_core::DataEvent;
use intercom_delivery::outbox::{
    Counts, DeadLetter, ErasedEvents, EventId, Failure, PendingEvent, Standby,
};
use serde::{Serialize, Serializer};

use crate::body::MaskedBody;
use crate::output::{Printable, count};
use crate::time;

/// The counts of an outbox, and the process that delivers.
#[derive(Serialize)]
pub(crate) struct Status {
    outbox: String,
    #[serde(flatten)]
    counts: Counts,
    is_balanced: bool,
    /// `null` if no process delivers.
    deliverer: Option<Deliverer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_pending: Option<Pending>,
}

/// The process that delivers.
#[derive(Serialize)]
struct Deliverer {
    name: String,
    since: u64,
    epoch: u64,
}

impl Status {
    pub(crate) fn new(
        outbox: String,
        counts: Counts,
        deliverer: Option<Standby>,
        oldest: Option<PendingEvent>,
    ) -> Self {
        let deliverer = deliverer.map(|turn| Deliverer {
            name: turn.deliverer,
            since: seconds(turn.since),
            epoch: turn.epoch.get(),
        });
        let (is_balanced, oldest_pending) = (counts.is_balanced(), oldest.map(Pending));
        Status { outbox, counts, is_balanced, deliverer, oldest_pending }
    }
}

impl Printable for Status {
    const TYPE: &'static str = "outbox_status";
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status { outbox, counts, .. } = self;
        writeln!(f, "{outbox}")?;
        let always = [
            ("accepted", counts.accepted),
            ("delivered", counts.delivered),
            ("pending", counts.pending),
            ("dead", counts.dead),
        ];
        let others = [
            ("derived", counts.derived),
            ("withheld", counts.withheld),
            ("dropped", counts.dropped),
            ("erased", counts.erased),
            ("purged", counts.purged),
            ("moved", counts.moved),
            ("collided", counts.collided),
        ];
        let others = others.into_iter().filter(|(_, number)| *number > 0);
        for (term, number) in always.into_iter().chain(others) {
            writeln!(f, "  {term:<10}{number:>12}")?;
        }
        if let Some(oldest) = &self.oldest_pending {
            writeln!(f, "  oldest pending: {oldest}")?;
        }
        match &self.deliverer {
            Some(Deliverer { name, since, .. }) => {
                let since = time::text(i64::try_from(*since).unwrap_or(i64::MAX));
                writeln!(f, "  delivered by {} since {since}", name.escape_debug())?;
            }
            None => writeln!(f, "  no process delivers")?,
        }
        match self.is_balanced {
            true => write!(f, "  balanced"),
            false => {
                write!(f, "  NOT BALANCED: the numbers above miss events; report this as a bug")
            }
        }
    }
}

/// A pending event.
pub(crate) struct Pending(pub(crate) PendingEvent);

/// A dead letter.
pub(crate) struct Dead(pub(crate) DeadLetter);

/// An event of a list.
pub(crate) trait Listed: Printable {
    fn id(&self) -> EventId;
    fn name(&self) -> &str;
}

impl Listed for Pending {
    fn id(&self) -> EventId {
        self.0.id
    }

    fn name(&self) -> &str {
        self.0.event.event_name()
    }
}

impl Listed for Dead {
    fn id(&self) -> EventId {
        self.0.id
    }

    fn name(&self) -> &str {
        self.0.event.event_name()
    }
}

/// An event in its JSON form.
#[derive(Serialize)]
struct EventLine<'a> {
    id: u64,
    event: &'a str,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    died_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl<'a> EventLine<'a> {
    fn pending(pending: &'a PendingEvent) -> Self {
        EventLine {
            accepted_at: Some(seconds(pending.accepted_at)),
            due_at: Some(seconds(pending.due_at)),
            ..EventLine::new(
                pending.id.get(),
                &pending.event,
                pending.attempts,
                pending.last_failure.as_ref(),
            )
        }
    }

    fn dead(letter: &'a DeadLetter) -> Self {
        EventLine {
            died_at: Some(seconds(letter.died_at)),
            reason: Some(letter.reason.as_str()),
            ..EventLine::new(
                letter.id.get(),
                &letter.event,
                letter.attempts,
                letter.failure.as_ref(),
            )
        }
    }

    fn new(id: u64, event: &'a DataEvent, attempts: u32, failure: Option<&'a Failure>) -> Self {
        EventLine {
            id,
            event: event.event_name(),
            created_at: event.created_at().unix_seconds(),
            accepted_at: None,
            due_at: None,
            died_at: None,
            reason: None,
            attempts,
            failure: failure.map(|failure| failure.message.as_str()),
            status: failure.and_then(|failure| failure.status),
            request_id: failure.and_then(|failure| failure.request_id.as_deref()),
        }
    }
}

impl fmt::Display for EventLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EventLine { id, event, created_at, reason, attempts, failure, .. } = self;
        write!(f, "{id:>6}  {}  {}", time::text(*created_at), event.escape_debug())?;
        if let Some(reason) = reason {
            write!(f, "  {reason}")?;
        }
        if *attempts > 0 {
            write!(f, "  attempts {attempts}")?;
        }
        failure.map_or(Ok(()), |failure| write!(f, "  {}", failure.escape_debug()))
    }
}

impl Serialize for Pending {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        EventLine::pending(&self.0).serialize(serializer)
    }
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&EventLine::pending(&self.0), f)
    }
}

impl Printable for Pending {
    const TYPE: &'static str = "pending_event";
}

impl Serialize for Dead {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        EventLine::dead(&self.0).serialize(serializer)
    }
}

impl fmt::Display for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&EventLine::dead(&self.0), f)
    }
}

impl Printable for Dead {
    const TYPE: &'static str = "dead_letter";
}

/// One event with its body, sensitive values masked.
#[derive(Serialize)]
pub(crate) struct EventDetails<'a> {
    /// `pending` or `dead`.
    state: &'static str,
    #[serde(flatten)]
    line: EventLine<'a>,
    body: MaskedBody<'a>,
}

impl<'a> EventDetails<'a> {
    pub(crate) fn pending(pending: &'a PendingEvent) -> Self {
        EventDetails {
            state: "pending",
            line: EventLine::pending(pending),
            body: MaskedBody(&pending.event),
        }
    }

    pub(crate) fn dead(letter: &'a DeadLetter) -> Self {
        EventDetails {
            state: "dead",
            line: EventLine::dead(letter),
            body: MaskedBody(&letter.event),
        }
    }
}

impl Printable for EventDetails<'_> {
    const TYPE: &'static str = "event";
}

impl fmt::Display for EventDetails<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EventLine { id, accepted_at, due_at, died_at, reason, attempts, failure, .. } =
            self.line;
        writeln!(f, "{} event {id}", self.state)?;
        let times = [("accepted", accepted_at), ("due", due_at), ("died", died_at)];
        for (what, seconds) in times {
            if let Some(seconds) = seconds {
                let text = time::text(i64::try_from(seconds).unwrap_or(i64::MAX));
                writeln!(f, "  {what:<10}{text}")?;
            }
        }
        if let Some(reason) = reason {
            writeln!(f, "  {:<10}{reason}", "reason")?;
        }
        writeln!(f, "  {:<10}{attempts}", "attempts")?;
        if let Some(failure) = failure {
            writeln!(f, "  {:<10}{}", "failure", failure.escape_debug())?;
        }
        write!(f, "{}", self.body)
    }
}

/// The number of events that a command changed.
#[derive(Serialize)]
pub(crate) struct Changed {
    /// `redriven`, `buried` or `purged`.
    pub(crate) action: &'static str,
    pub(crate) events: u64,
}

impl Printable for Changed {
    const TYPE: &'static str = "changed";
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action, self.events)
    }
}

/// The numbers of events that an erasure deleted.
#[derive(Serialize)]
pub(crate) struct Erased {
    pending: u64,
    dead_letters: u64,
}

impl From<ErasedEvents> for Erased {
    fn from(erased: ErasedEvents) -> Self {
        Erased { pending: erased.pending, dead_letters: erased.dead_letters }
    }
}

impl Printable for Erased {
    const TYPE: &'static str = "erased";
}

impl fmt::Display for Erased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pending = count(self.pending, "pending event");
        write!(f, "erased {pending} and {}", count(self.dead_letters, "dead letter"))
    }
}

/// The result of forgiving a contact.
#[derive(Serialize)]
pub(crate) struct Forgiven {
    pub(crate) was_erased: bool,
}

impl Printable for Forgiven {
    const TYPE: &'static str = "forgiven";
}

impl fmt::Display for Forgiven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.was_erased {
            true => f.write_str("forgiven: later events of the contact are sent"),
            false => f.write_str("nothing to forgive: the contact was not erased"),
        }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
