//! The type-erased form of an event: finished bytes, and the fields that a transport reads.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::contact::Contact;
use crate::derived_events::DerivedEvents;
use crate::encode::{self, Body, Metadata};
use crate::event::IntercomEvent;
use crate::event_name::EventName;
use crate::invalid::InvalidEvent;
use crate::json;
use crate::sensitive::SensitiveKeys;
use crate::value::Timestamp;

/// The text that replaces a sensitive value.
pub(crate) const MASK: &str = "[sensitive]";

/// An event ready to be sent: its contact, its name, its time in whole seconds, and the finished
/// JSON body.
///
/// Transports store, retry and send these bytes. No transport encodes the event again or changes
/// its time, because Intercom recognizes a repeated event by contact, name and second of
/// `created_at`. Clones share the bytes.
///
/// The event also holds the names of its [sensitive keys](Self::sensitive_keys), and its [derived
/// events](Self::derived).
///
/// `Debug` shows the name, the time, the size and the names of derived events. It never shows the
/// contact or a value.
#[derive(Clone, PartialEq, Eq)]
pub struct DataEvent(Arc<Parts>);

/// One allocation, because a delivery moves and clones events more often than it reads them.
#[derive(Clone, PartialEq, Eq)]
struct Parts {
    name: EventName,
    contact: Contact,
    created_at: Timestamp,
    body: Bytes,
    metadata: Option<Range<usize>>,
    sensitive: SensitiveKeys,
    derived: Vec<DataEvent>,
}

impl DataEvent {
    /// Encodes an event. [`Tracker`](crate::Tracker) does this for you. Tests and custom stores can
    /// call it.
    ///
    /// The event gets this contact and this time, whatever its own fields say.
    ///
    /// # Errors
    ///
    /// Fails when Intercom would refuse or misread a value, the contact or the time, of the event
    /// or of a derived event.
    ///
    /// ```
    /// use intercom_core::{Contact, DataEvent, IntercomEvent, Timestamp};
    ///
    /// #[derive(IntercomEvent)]
    /// #[event(name = "project_created")]
    /// struct ProjectCreated { project_id: u64 }
    ///
    /// let event = DataEvent::new(
    ///     &ProjectCreated { project_id: 7 },
    ///     Contact::user_id("42"),
    ///     Timestamp::from_unix_seconds(1_700_000_000),
    /// )?;
    /// assert_eq!(
    ///     event.body(),
    ///     r#"{"event_name":"project_created","created_at":1700000000,"user_id":"42","metadata":{"project_id":7}}"#,
    /// );
    /// # Ok::<(), intercom_core::InvalidEvent>(())
    /// ```
    pub fn new<E>(event: &E, contact: Contact, created_at: Timestamp) -> Result<Self, InvalidEvent>
    where
        E: IntercomEvent,
    {
        // As `alone`, which would be one more function for every event type.
        let (name, sensitive) = (event.event_name(), event.sensitive_keys());
        let encoded = Parts::encode(name, sensitive, contact, created_at, &event);
        if const { E::ALSO.is_empty() } {
            return encoded;
        }
        encoded?.with_derived(|out| event.derive_events(out))
    }

    /// Encodes an event without its derived events.
    pub(crate) fn alone<E>(
        event: &E,
        contact: Contact,
        created_at: Timestamp,
    ) -> Result<Self, InvalidEvent>
    where
        E: IntercomEvent,
    {
        Parts::encode(event.event_name(), event.sensitive_keys(), contact, created_at, &event)
    }

    /// Adds the events that `derive` gives.
    fn with_derived(
        mut self,
        derive: impl FnOnce(&mut DerivedEvents<'_>),
    ) -> Result<Self, InvalidEvent> {
        let mut derived = DerivedEvents::new(self.contact(), self.created_at());
        derive(&mut derived);
        let derived = derived.finish()?;
        Arc::make_mut(&mut self.0).derived = derived;
        Ok(self)
    }

    /// Reads an event from a stored body: the bytes that [`body`](Self::body) returned.
    ///
    /// The event keeps and sends these bytes unchanged. A body does not name its sensitive keys:
    /// call [`with_sensitive_keys`](Self::with_sensitive_keys). Each derived event has its own
    /// body.
    ///
    /// # Errors
    ///
    /// Fails when the bytes are not a JSON object with an event's name, contact and time.
    ///
    /// ```
    /// # use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let event = DynamicEvent::new("project_created")?.with("project_id", 7)?;
    /// let event = DataEvent::new(&event, Contact::user_id("42"), Timestamp::now())?;
    /// assert_eq!(DataEvent::from_body(event.body().clone())?, event);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_body(body: impl Into<Bytes>) -> Result<Self, UnreadableBody> {
        let body = body.into();
        let members = members(&body)?;
        let member = |name| members.get(name).copied().map(RawValue::get);
        let text = |name| member(name).map(serde_json::from_str::<String>).transpose();
        let name = text("event_name")?.ok_or(UnreadableBody::MISSES)?;
        let created_at = serde_json::from_str(member("created_at").ok_or(UnreadableBody::MISSES)?)?;
        let contact = Contact::__from_roles(
            text("user_id")?.map(Arc::from),
            text("email")?.map(Arc::from),
            text("id")?.map(Arc::from),
        );
        let metadata = match member("metadata") {
            Some(json) if !json.starts_with('{') => return Err(UnreadableBody::MISSES),
            _ => members.get("metadata").map(|json| place(&body, json)),
        };
        let parts = Parts {
            name: EventName::unchecked(&name),
            contact: contact.ok_or(UnreadableBody::MISSES)?,
            created_at: Timestamp::from_unix_seconds(created_at),
            metadata,
            body,
            sensitive: SensitiveKeys::none(),
            derived: Vec::new(),
        };
        Ok(parts.into())
    }

    /// Returns the same event with another `created_at`. Derived events keep theirs.
    ///
    /// Intercom mostly ignores the later of two events that share contact, name and second. To make
    /// both count, move one of them to another second. Move an event only before its first attempt
    /// to send.
    ///
    /// ```
    /// # use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let event = DynamicEvent::new("project_created")?;
    /// let noon = Timestamp::from_unix_seconds(1_700_000_000);
    /// let event = DataEvent::new(&event, Contact::user_id("42"), noon)?;
    /// let later = event.moved_to(Timestamp::from_unix_seconds(1_700_000_001));
    /// assert_eq!(later.to_json()["created_at"], 1_700_000_001);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn moved_to(&self, created_at: Timestamp) -> Self {
        let body = self.body();
        let members = members(body).expect("the body was written as JSON");
        let place = members.get("created_at").map(|json| place(body, json));
        let Range { start, end } = place.expect("every body has its time");
        let seconds = created_at.unix_seconds().to_string();
        let body = [&body[..start], seconds.as_bytes(), &body[end..]].concat();
        let metadata = self.0.metadata.clone().map(|range| {
            let moved =
                |place| if place > start { place + seconds.len() - (end - start) } else { place };
            moved(range.start)..moved(range.end)
        });
        Parts { created_at, body: body.into(), metadata, ..Parts::clone(&self.0) }.into()
    }

    /// Returns the same event with another name.
    ///
    /// The renamed event has no derived events.
    ///
    /// ```
    /// # use intercom_core::{Contact, DataEvent, DynamicEvent, EventName, Timestamp};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let event = DynamicEvent::new("project_created")?.with("project_id", 7)?;
    /// let event = DataEvent::new(&event, Contact::user_id("42"), Timestamp::now())?;
    /// let renamed = event.renamed(EventName::new("project_begun")?);
    /// assert_eq!(renamed.to_json()["event_name"], "project_begun");
    /// assert_eq!(renamed.metadata(), event.metadata());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn renamed(&self, name: EventName) -> Self {
        let mut json = Vec::with_capacity(name.len() + 2);
        json::text(&mut json, &name);
        let (body, metadata) = self.with_member("event_name", &json);
        Parts { name, body, metadata, derived: Vec::new(), ..Parts::clone(&self.0) }.into()
    }

    /// Returns the same event with only the metadata keys that the predicate keeps. Derived events
    /// keep all of theirs.
    ///
    /// ```
    /// # use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let event = DynamicEvent::new("project_created")?.with("project_id", 7)?.with("plan", "pro")?;
    /// let event = DataEvent::new(&event, Contact::user_id("42"), Timestamp::now())?;
    /// let event = event.with_keys(|key| key == "plan");
    /// assert_eq!(event.metadata(), Some(&br#"{"plan":"pro"}"#[..]));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_keys(&self, is_kept: impl Fn(&str) -> bool) -> Self {
        let Some(metadata) = self.metadata() else { return self.clone() };
        let all = members_in_order(metadata).expect("the body was written as JSON");
        let kept: Vec<_> = all.into_iter().filter(|(key, _)| is_kept(key)).collect();
        // A body without metadata has no `metadata` member.
        let (body, metadata) = match kept.is_empty() {
            true => {
                let all = members_in_order(self.body()).expect("the body was written as JSON");
                let rest = all.into_iter().filter(|(member, _)| member != "metadata");
                (object(rest).into(), None)
            }
            false => self.with_member("metadata", &object(kept)),
        };
        Parts { body, metadata, ..Parts::clone(&self.0) }.into()
    }

    /// Replaces the value of an existing member. Returns the body and the range of its metadata.
    fn with_member(&self, member: &str, value: &[u8]) -> (Bytes, Option<Range<usize>>) {
        let place_in = |body: &[u8], member: &str| {
            let members = members(body).expect("the body was written as JSON");
            members.get(member).map(|json| place(body, json))
        };
        let body = self.body();
        let at = place_in(body, member).expect("the body has this member");
        let body = [&body[..at.start], value, &body[at.end..]].concat();
        let metadata = place_in(&body, "metadata");
        (body.into(), metadata)
    }

    /// Returns the event's name. Cheap to clone.
    pub fn event_name(&self) -> &EventName {
        &self.0.name
    }

    /// Returns the contact that the event belongs to.
    pub fn contact(&self) -> &Contact {
        &self.0.contact
    }

    /// Returns when the event happened.
    pub fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// Returns the JSON body of the request.
    pub fn body(&self) -> &Bytes {
        &self.0.body
    }

    /// Returns the metadata object within the body, or `None` when the event has no metadata.
    ///
    /// The slice points into the body: `event.body().slice_ref(metadata)` keeps it without a copy.
    pub fn metadata(&self) -> Option<&[u8]> {
        self.0.metadata.clone().map(|range| &self.0.body[range])
    }

    /// Names the sensitive keys of a stored body: those that
    /// [`sensitive_keys`](Self::sensitive_keys) returned.
    ///
    /// ```
    /// # use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let event = DynamicEvent::new("newsletter_ordered")?.with_sensitive("address", "ada@example.com")?;
    /// let event = DataEvent::new(&event, Contact::user_id("42"), Timestamp::now())?;
    /// let keys: Vec<&str> = event.sensitive_keys().collect();
    ///
    /// let stored = DataEvent::from_body(event.body().clone())?.with_sensitive_keys(keys);
    /// assert_eq!(stored, event);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_sensitive_keys<K>(mut self, keys: impl IntoIterator<Item = K>) -> Self
    where
        K: Into<Box<str>>,
    {
        Arc::make_mut(&mut self.0).sensitive = SensitiveKeys::named(keys);
        self
    }

    /// Returns the keys that are marked `sensitive`, whether the event has a value for them or not.
    ///
    /// Mask their values wherever you show the event. The request carries them unmasked.
    pub fn sensitive_keys(&self) -> impl Iterator<Item = &str> {
        self.0.sensitive.iter()
    }

    /// Returns the events that `also` derives from this event.
    ///
    /// A transport that stores events stores these with this event, all or none. Each has its own
    /// body, and none has derived events.
    pub fn derived(&self) -> &[DataEvent] {
        &self.0.derived
    }

    /// Splits the event from its derived events.
    pub fn split_derived(mut self) -> (Self, Vec<DataEvent>) {
        if self.0.derived.is_empty() {
            return (self, Vec::new());
        }
        let derived = mem::take(&mut Arc::make_mut(&mut self.0).derived);
        (self, derived)
    }

    /// Parses the body for display, with the values of sensitive keys masked.
    ///
    /// ```
    /// # use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let event = DynamicEvent::new("newsletter_ordered")?
    ///     .with("issues", 12)?
    ///     .with_sensitive("address", "ada@example.com")?;
    /// let event = DataEvent::new(&event, Contact::user_id("42"), Timestamp::now())?;
    /// let shown = event.to_masked_json();
    /// assert_eq!(shown["metadata"].to_string(), r#"{"address":"[sensitive]","issues":12}"#);
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_masked_json(&self) -> serde_json::Value {
        let mut json = self.to_json();
        if let Some(metadata) = json.get_mut("metadata") {
            for key in self.sensitive_keys() {
                if let Some(value) = metadata.get_mut(key) {
                    *value = MASK.into();
                }
            }
        }
        json
    }

    /// Parses the body. Convenient in tests.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::from_slice(self.body()).expect("the body was written as JSON")
    }
}

/// Bytes that are not the body of an event. The error does not repeat the bytes.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the body of an event: {reason}")]
pub struct UnreadableBody {
    reason: &'static str,
}

/// A `main` that returns this error prints its `Debug`, so `Debug` is the error's sentence.
impl fmt::Debug for UnreadableBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl UnreadableBody {
    const MISSES: Self =
        UnreadableBody { reason: "a member is missing, or is not of the type that it should be" };
}

impl From<serde_json::Error> for UnreadableBody {
    fn from(error: serde_json::Error) -> Self {
        use serde_json::error::Category;
        // serde's own message may repeat the input.
        match error.classify() {
            Category::Eof => UnreadableBody { reason: "the bytes end too early" },
            Category::Syntax => UnreadableBody { reason: "the bytes are not JSON" },
            Category::Data | Category::Io => UnreadableBody::MISSES,
        }
    }
}

impl Parts {
    /// Encodes an event without its derived events.
    fn encode(
        name: EventName,
        sensitive: SensitiveKeys,
        contact: Contact,
        created_at: Timestamp,
        event: &dyn Metadata,
    ) -> Result<DataEvent, InvalidEvent> {
        let Body { bytes: body, metadata } = encode::body(event, &name, &contact, created_at)?;
        let derived = Vec::new();
        Ok(Parts { name, contact, created_at, body, metadata, sensitive, derived }.into())
    }
}

impl From<Parts> for DataEvent {
    fn from(parts: Parts) -> Self {
        DataEvent(Arc::new(parts))
    }
}

/// Returns the members of a JSON object, unparsed.
pub(crate) fn members(body: &[u8]) -> serde_json::Result<BTreeMap<Cow<'_, str>, &RawValue>> {
    serde_json::from_slice(body)
}

/// Returns the members of a JSON object in their order.
fn members_in_order(body: &[u8]) -> serde_json::Result<Vec<(String, &RawValue)>> {
    let mut all: Vec<(String, &RawValue)> =
        members(body)?.into_iter().map(|(key, json)| (key.into_owned(), json)).collect();
    all.sort_by_key(|(_, json)| json.get().as_ptr());
    Ok(all)
}

/// Writes an object of these members.
fn object<'a>(members: impl IntoIterator<Item = (String, &'a RawValue)>) -> Vec<u8> {
    let mut object = vec![b'{'];
    for (member, value) in members {
        if object.len() > 1 {
            object.push(b',');
        }
        json::text(&mut object, &member);
        object.push(b':');
        object.extend_from_slice(value.get().as_bytes());
    }
    object.push(b'}');
    object
}

/// Returns the range of a member's value. Its text is a slice of the body.
fn place(body: &[u8], json: &RawValue) -> Range<usize> {
    let start = json.get().as_ptr() as usize - body.as_ptr() as usize;
    start..start + json.get().len()
}

impl fmt::Debug for DataEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataEvent")
            .field("name", self.event_name())
            .field("contact", self.contact())
            .field("created_at", &self.created_at().unix_seconds())
            .field("bytes", &self.body().len())
            .field("derived", &self.derived().iter().map(DataEvent::event_name).collect::<Vec<_>>())
            .finish()
    }
}
