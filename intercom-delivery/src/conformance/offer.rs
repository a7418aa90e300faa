//! Events to be accepted, few enough of a kind that they often collide.

use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use proptest::prelude::*;

/// Names, some of which are the same but for case.
pub(super) const NAMES: [&str; 5] =
    ["project_created", "Project_Created", "invoice_paid", "menü_geöffnet", "MENÜ_GEÖFFNET"];

const USERS: u8 = 2;

/// When events happened that come late.
const LONG_AGO: i64 = 1_700_000_000;

/// When the sequence begins.
const START: i64 = 1_750_000_000;

/// An event to be accepted, told by small numbers.
///
/// Each has a number of its own in its metadata, so that it can be recognized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Which of a few names it has.
    pub name: usize,
    /// Which of a few contacts it is of.
    pub user: u8,
    /// Whether it happened long ago, and not just now.
    pub late: bool,
    /// So many seconds are added to its time.
    pub second: u8,
    /// How its body is written.
    pub shape: Shape,
}

/// How the body of an event is written. An outbox keeps all of them as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// As `intercom-core` encodes it.
    Plain,
    /// The same, with quotes, line ends and signs beyond ASCII in a text.
    Text,
    /// As another program might have written it: spaces, and another order of its members.
    Foreign,
}

impl Offer {
    /// The event with this number, at this time of the sequence.
    pub(super) fn event(&self, number: usize, now: Duration) -> DataEvent {
        let name = NAMES[self.name % NAMES.len()];
        let user = self.user % USERS;
        let start = if self.late { LONG_AGO } else { START.saturating_add_unsigned(now.as_secs()) };
        let second = start + i64::from(self.second);
        let made = match self.shape {
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

fn encoded(
    name: &str,
    user: u8,
    second: i64,
    number: usize,
    text: Option<&str>,
) -> Option<DataEvent> {
    let event = DynamicEvent::new(name).ok()?.with("number", number as u64).ok()?;
    let event = match text {
        Some(text) => event.with("text", text).ok()?,
        None => event,
    };
    DataEvent::new(&event, Contact::user_id(user), Timestamp::from_unix_seconds(second)).ok()
}

/// Any event. Most are of a few that collide.
pub(super) fn offer() -> impl Strategy<Value = Offer> {
    let name = prop_oneof![3 => 0..2_usize, 1 => 0..NAMES.len()];
    let user = prop_oneof![3 => Just(0), 1 => 0..USERS];
    let second = prop_oneof![3 => Just(0), 1 => 0..3_u8];
    let shape = prop_oneof![
        3 => Just(Shape::Plain),
        1 => Just(Shape::Text),
        1 => Just(Shape::Foreign),
    ];
    (name, user, any::<bool>(), second, shape).prop_map(|(name, user, late, second, shape)| Offer {
        name,
        user,
        late,
        second,
        shape,
    })
}
