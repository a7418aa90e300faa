//! Makes events of few names, contacts and seconds, so that events often share a slot.

use std::time::Duration;

use fastrand::Rng;
use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};

/// Names, some of which differ only in case, or in how they write an accented letter.
pub(super) const NAMES: [&str; 6] = [
    "project_created",
    "Project_Created",
    "invoice_paid",
    "menü_geöffnet",
    "MENÜ_GEÖFFNET",
    "menu\u{308}_geo\u{308}ffnet",
];

/// The number of contacts that operations erase.
pub(super) const CONTACTS: usize = 4;

/// One of the contacts by which events are erased: two user ids, and the address that some events
/// have besides, in another case.
pub(super) fn contact(number: usize) -> Contact {
    match number {
        0 | 1 => Contact::user_id(number),
        2 => Contact::email("Ada@Example.com"),
        _ => Contact::contact_id("0"),
    }
}

/// When events happened that come late.
const LONG_AGO: i64 = 1_700_000_000;

/// When the sequence begins.
const START: i64 = 1_750_000_000;

/// The time of day at this time of the sequence.
pub(super) fn timestamp(now: Duration) -> Timestamp {
    Timestamp::from_unix_seconds(START.saturating_add_unsigned(now.as_secs()))
}

/// An event to accept. A number in its metadata identifies it.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    name: usize,
    user: u8,
    /// Whether it happened long ago, and not just now.
    late: bool,
    second: i64,
    shape: Shape,
}

/// The form of an event's body. An outbox keeps all of them as they are.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// As `intercom-core` encodes it.
    Plain,
    /// The same, with quotes, line ends and signs beyond ASCII in a text, which is sensitive.
    Text,
    /// As another program might write it: spaces, and another order of its members.
    Foreign,
}

impl Offer {
    pub(super) fn any(random: &mut Rng) -> Self {
        const SHAPES: [Shape; 5] =
            [Shape::Plain, Shape::Plain, Shape::Plain, Shape::Text, Shape::Foreign];
        Offer {
            name: if random.u8(..4) < 3 { random.usize(..2) } else { random.usize(..NAMES.len()) },
            user: random.u8(..4) / 3,
            late: random.bool(),
            second: random.i64(..6).saturating_sub(3).max(0),
            shape: SHAPES[random.usize(..SHAPES.len())],
        }
    }

    /// The event with this number, at this time of the sequence.
    pub(super) fn event(&self, number: usize, now: Duration) -> DataEvent {
        let Offer { user, shape, .. } = *self;
        let name = NAMES[self.name];
        let start = if self.late { LONG_AGO } else { timestamp(now).unix_seconds() };
        let second = start + self.second;
        let made = match shape {
            Shape::Plain => encoded(name, user, second, number, None),
            Shape::Text => encoded(name, user, second, number, Some("\"ä\\ß\"\r\n\t🦀")),
            Shape::Foreign => {
                let body = format!(
                    "{{ \"metadata\":{{ \"number\" : {number} }},\n\"created_at\": {second} ,\
                     \"user_id\":\"{user}\", \"event_name\":\"{name}\" }}\n",
                );
                DataEvent::from_body(body).ok()
            }
        };
        made.expect("the event is valid")
    }
}

/// The same event by another name, as a rule would write it.
pub(super) fn renamed(event: &DataEvent, name: usize) -> DataEvent {
    let mut body = event.to_json();
    body["event_name"] = NAMES[name].into();
    let renamed = DataEvent::from_body(body.to_string()).expect("it is the body of an event still");
    renamed.with_sensitive_keys(event.sensitive_keys())
}

fn encoded(
    name: &str,
    user: u8,
    second: i64,
    number: usize,
    text: Option<&str>,
) -> Option<DataEvent> {
    let event = DynamicEvent::new(name).ok()?.with("number", number as u64).ok()?;
    let event = match text {
        Some(text) => event.with_sensitive("text", text).ok()?,
        None => event,
    };
    let contact = Contact::user_id(user);
    let contact =
        if number.is_multiple_of(3) { contact.with_email("ada@example.com") } else { contact };
    DataEvent::new(&event, contact, Timestamp::from_unix_seconds(second)).ok()
}
