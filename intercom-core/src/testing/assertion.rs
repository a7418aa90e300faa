//! Compares the sent events with the one that a test expects, in readable words.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::contact::Contact;
use crate::data_event::{DataEvent, MASK};
use crate::event::IntercomEvent;
use crate::event_name::EventName;
use crate::value::Timestamp;

/// The most sent events that a message compares with the expected one: those with the fewest
/// differences.
const SHOWN: usize = 3;

/// The event that a test expects. Contact and time count where the event's own fields give them.
pub(super) struct Expected {
    name: EventName,
    contact: Option<Contact>,
    created_at: Option<Timestamp>,
    metadata: Map<String, Value>,
    sensitive: Vec<String>,
}

impl Expected {
    #[track_caller]
    pub(super) fn new<E: IntercomEvent>(event: &E) -> Self {
        let (contact, created_at) = (event.event_contact(), event.event_created_at());
        let encoded = DataEvent::new(
            event,
            contact.clone().unwrap_or_else(|| Contact::user_id("anybody")),
            created_at.unwrap_or(Timestamp::from_unix_seconds(0)),
        );
        match encoded {
            Ok(event) => Expected {
                name: event.event_name().clone(),
                contact,
                created_at,
                metadata: metadata(&event),
                sensitive: event.sensitive_keys().map(Into::into).collect(),
            },
            Err(invalid) => panic!("the expected event can never be sent: {invalid}"),
        }
    }

    /// Returns the first sent event that matches, or a message that lists the sent events.
    pub(super) fn find<'a>(&self, sent: &'a [DataEvent]) -> Result<&'a DataEvent, String> {
        let named = sent.iter().enumerate().filter(|(_, event)| *event.event_name() == self.name);
        let mut compared: Vec<_> =
            named.map(|(at, event)| (at, event, self.differences(event))).collect();
        if let Some((_, event, _)) = compared.iter().find(|(.., found)| found.is_empty()) {
            return Ok(event);
        }
        if compared.is_empty() {
            return Err(format!("no event `{}` was sent; {}", self.name, list(sent)));
        }
        compared.sort_by_key(|(.., differences)| differences.len());
        let mut message = format!("the event `{}` was not sent as expected", self.name);
        for (at, _, differences) in compared.iter().take(SHOWN) {
            let _ = write!(message, "\n  event {} of {}:", at + 1, sent.len());
            for difference in differences {
                let _ = write!(message, "\n    {difference}");
            }
        }
        if let more @ 1.. = compared.len().saturating_sub(SHOWN) {
            let _ = write!(message, "\n  and {more} more of this name");
        }
        Err(message)
    }

    fn differences(&self, sent: &DataEvent) -> Vec<String> {
        let mut differences = Vec::new();
        let contact = self.contact.as_ref().filter(|contact| *contact != sent.contact());
        differences.extend(contact.map(|contact| {
            format!("contact: expected {}, was {}", show(contact), show(sent.contact()))
        }));
        let created_at = self.created_at.filter(|time| *time != sent.created_at());
        differences.extend(created_at.map(|time| {
            let (expected, was) = (time.unix_seconds(), sent.created_at().unix_seconds());
            format!("created_at: expected {expected}, was {was}")
        }));
        let sensitive: Vec<_> =
            sent.sensitive_keys().chain(self.sensitive.iter().map(String::as_str)).collect();
        let shown = |key: &String, value: &Value| match sensitive.contains(&key.as_str()) {
            true => MASK.to_owned(),
            false => value.to_string(),
        };
        let sent = metadata(sent);
        differences.extend(self.metadata.iter().filter_map(|(key, expected)| {
            let was = sent.get(key);
            if was == Some(expected) {
                return None;
            }
            let was = was.map_or("left out".to_owned(), |was| shown(key, was));
            Some(format!("{key}: expected {}, was {was}", shown(key, expected)))
        }));
        let unexpected = sent.iter().filter(|(key, _)| !self.metadata.contains_key(*key));
        differences.extend(
            unexpected.map(|(key, was)| format!("{key}: not expected, was {}", shown(key, was))),
        );
        differences
    }
}

/// Lists the sent events, one a line.
pub(super) fn list(sent: &[DataEvent]) -> String {
    let mut list = match sent.len() {
        0 => return "nothing was sent".to_owned(),
        1 => "this event was sent:".to_owned(),
        many => format!("these {many} events were sent:"),
    };
    for event in sent {
        let _ = write!(
            list,
            "\n  {} of {}: {}",
            event.event_name(),
            show(event.contact()),
            event.to_masked_json().get("metadata").unwrap_or(&Value::Object(Map::new()))
        );
    }
    list
}

fn metadata(event: &DataEvent) -> Map<String, Value> {
    let metadata = event.metadata().and_then(|json| serde_json::from_slice(json).ok());
    metadata.unwrap_or_default()
}

fn show(contact: &Contact) -> String {
    let identifiers = [
        ("user id", contact.as_user_id()),
        ("email", contact.as_email()),
        ("contact id", contact.as_contact_id()),
    ];
    let set = identifiers.into_iter().filter_map(|(which, identifier)| {
        identifier.map(|identifier| format!("{which} {identifier:?}"))
    });
    set.collect::<Vec<_>>().join(" and ")
}
