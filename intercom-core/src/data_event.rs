//! The one type-erased form of an event: finished bytes, and what must be known about them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::contact::Contact;
use crate::derived_events::DerivedEvents;
use crate::encode;
use crate::event::IntercomEvent;
use crate::event_name::EventName;
use crate::invalid::InvalidEvent;
use crate::json;
use crate::sensitive::SensitiveKeys;
use crate::value::Timestamp;

/// What is shown in place of a sensitive value.
pub(crate) const MASK: &str = "[sensitive]";

/// An event ready to be sent: contact, name, second, and the finished JSON body.
///
/// It is stored, retried and sent as these bytes. Nothing encodes it again and nothing stamps it with
/// another time, because Intercom knows a repeated event by its contact, name and second. A clone
/// shares the bytes.
///
/// It holds the names of its [sensitive keys](Self::sensitive_keys) too, and the events that are
/// [derived](Self::derived) from it.
///
/// `Debug` shows the name, the second, the size and the names of derived events, never the contact or a value.
#[derive(Clone, PartialEq, Eq)]
pub struct DataEvent {
    name: EventName,
    contact: Contact,
    created_at: Timestamp,
    body: Bytes,
    metadata: Option<Range<usize>>,
    sensitive: SensitiveKeys,
    /// One pointer: most events have none.
    derived: Option<Arc<Vec<DataEvent>>>,
}

impl DataEvent {
    /// Encodes an event. [`Tracker`](crate::Tracker) does this for you; it is here for tests and for
    /// those who keep events of their own.
    ///
    /// The contact and the time are used as given, whatever the event's own fields say.
    ///
    /// # Errors
    ///
    /// Fails when a value, the contact or the time is one that Intercom would refuse or misread, in the event or in one
    /// that is derived from it.
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
        let mut data = Self::alone(event, contact, created_at)?;
        if const { !E::ALSO.is_empty() } {
            let mut derived = DerivedEvents::new(&data.contact, created_at);
            event.derive_events(&mut derived);
            let derived = derived.finish()?;
            data.derived = (!derived.is_empty()).then(|| Arc::new(derived));
        }
        Ok(data)
    }

    /// Encodes an event without those that are derived from it.
    pub(crate) fn alone<E>(
        event: &E,
        contact: Contact,
        created_at: Timestamp,
    ) -> Result<Self, InvalidEvent>
    where
        E: IntercomEvent,
    {
        let name = event.event_name();
        let body = encode::body(event, &name, &contact, created_at)?;
        Ok(DataEvent {
            name,
            contact,
            created_at,
            body: body.bytes,
            metadata: body.metadata,
            sensitive: event.sensitive_keys(),
            derived: None,
        })
    }

    /// The event that this body is of: what [`body`](Self::body) gave, kept in a file or a queue.
    ///
    /// The bytes are taken as they are, and are what will be sent. A body does not tell which of its keys are
    /// sensitive: [`with_sensitive_keys`](Self::with_sensitive_keys) does. Derived events have bodies of their own.
    ///
    /// # Errors
    ///
    /// Fails when these bytes are not the body of an event.
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
        Ok(DataEvent {
            name: EventName::unchecked(&name),
            contact: contact.ok_or(UnreadableBody::MISSES)?,
            created_at: Timestamp::from_unix_seconds(created_at),
            metadata,
            body,
            sensitive: SensitiveKeys::none(),
            derived: None,
        })
    }

    /// The same event at another second.
    ///
    /// Intercom takes two events of one name, contact and second for one. A caller that sees a collision
    /// coming can move the later event, before its first attempt and never after.
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
        let members = members(&self.body).expect("the body was written as JSON");
        let place = members.get("created_at").map(|json| place(&self.body, json));
        let Range { start, end } = place.expect("every body has its time");
        let seconds = created_at.unix_seconds().to_string();
        let body = [&self.body[..start], seconds.as_bytes(), &self.body[end..]].concat();
        let metadata = self.metadata.clone().map(|range| {
            let moved =
                |place| if place > start { place + seconds.len() - (end - start) } else { place };
            moved(range.start)..moved(range.end)
        });
        DataEvent { created_at, body: body.into(), metadata, ..self.clone() }
    }

    /// The same event by another name.
    ///
    /// The events that are derived from it with `also` are not the new event's.
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
        DataEvent { name, body, metadata, derived: None, ..self.clone() }
    }

    /// The same event with these keys of its metadata alone.
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
        // An event without metadata has no member for it.
        let (body, metadata) = match kept.is_empty() {
            true => {
                let all = members_in_order(&self.body).expect("the body was written as JSON");
                let rest = all.into_iter().filter(|(member, _)| member != "metadata");
                (object(rest).into(), None)
            }
            false => self.with_member("metadata", &object(kept)),
        };
        DataEvent { body, metadata, ..self.clone() }
    }

    /// The body with another value of a member that it has, and where the metadata stands in it.
    fn with_member(&self, member: &str, value: &[u8]) -> (Bytes, Option<Range<usize>>) {
        let place_in = |body: &[u8], member: &str| {
            let members = members(body).expect("the body was written as JSON");
            members.get(member).map(|json| place(body, json))
        };
        let at = place_in(&self.body, member).expect("the body has this member");
        let body = [&self.body[..at.start], value, &self.body[at.end..]].concat();
        let metadata = place_in(&body, "metadata");
        (body.into(), metadata)
    }

    /// The event's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The event's name, in a form that is cheap to keep.
    pub fn event_name(&self) -> &EventName {
        &self.name
    }

    /// Whose event it is.
    pub fn contact(&self) -> &Contact {
        &self.contact
    }

    /// When it happened.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// The JSON body of the request, as it is to be sent.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The metadata object within the body, or `None` when the event has no metadata.
    ///
    /// These are the body's own bytes: `event.body().slice_ref(metadata)` keeps them without a copy.
    pub fn metadata(&self) -> Option<&[u8]> {
        self.metadata.clone().map(|range| &self.body[range])
    }

    /// Names the sensitive keys: what [`sensitive_keys`](Self::sensitive_keys) gave, kept beside the body.
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
        self.sensitive = SensitiveKeys::named(keys);
        self
    }

    /// Returns the keys that are marked `sensitive`, whether the event has a value for them or not.
    ///
    /// Mask their values wherever the event is shown. They are sent as they are.
    pub fn sensitive_keys(&self) -> impl Iterator<Item = &str> {
        self.sensitive.iter()
    }

    /// Returns the events that are derived from this one with `also`.
    ///
    /// A transport that accepts events for later accepts them with this one, all or none. Each has a body of its own, and
    /// none has derived events.
    pub fn derived(&self) -> &[DataEvent] {
        self.derived.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Splits the event from those that are derived from it.
    pub fn split_derived(mut self) -> (Self, Vec<DataEvent>) {
        let derived = self.derived.take().map(Arc::unwrap_or_clone);
        (self, derived.unwrap_or_default())
    }

    /// Parses the body, with the values of sensitive keys masked: to be shown.
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

    /// The body, parsed: convenient in tests.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body was written as JSON")
    }
}

/// Bytes that are not the body of an event. It does not repeat them.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the body of an event: {reason}")]
pub struct UnreadableBody {
    reason: &'static str,
}

/// The same sentence: it is what a `main` shows that ends with an error.
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
        // The error's own words may repeat what was read.
        match error.classify() {
            Category::Eof => UnreadableBody { reason: "the bytes end too early" },
            Category::Syntax => UnreadableBody { reason: "the bytes are not JSON" },
            Category::Data | Category::Io => UnreadableBody::MISSES,
        }
    }
}

/// The members of a JSON object, unparsed.
pub(crate) fn members(body: &[u8]) -> serde_json::Result<BTreeMap<Cow<'_, str>, &RawValue>> {
    serde_json::from_slice(body)
}

/// The same, in their order.
fn members_in_order(body: &[u8]) -> serde_json::Result<Vec<(String, &RawValue)>> {
    let mut all: Vec<(String, &RawValue)> =
        members(body)?.into_iter().map(|(key, json)| (key.into_owned(), json)).collect();
    all.sort_by_key(|(_, json)| json.get().as_ptr());
    Ok(all)
}

/// An object of these members.
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

/// Where a member's value stands in the body that it was read from: its text is a part of that.
fn place(body: &[u8], json: &RawValue) -> Range<usize> {
    let start = json.get().as_ptr() as usize - body.as_ptr() as usize;
    start..start + json.get().len()
}

impl fmt::Debug for DataEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataEvent")
            .field("name", &self.name)
            .field("contact", &self.contact)
            .field("created_at", &self.created_at.unix_seconds())
            .field("bytes", &self.body.len())
            .field("derived", &self.derived().iter().map(DataEvent::name).collect::<Vec<_>>())
            .finish()
    }
}
