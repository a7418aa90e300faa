//! Encoding: one pass from an event into its finished JSON body.

use std::cell::Cell;
use std::ops::Range;

use bytes::Bytes;

use crate::contact::Contact;
use crate::event::IntercomEvent;
use crate::event_name::EventName;
use crate::invalid::{InvalidEvent, Reason};
use crate::json;
use crate::metadata::MetadataEncoder;
use crate::rules::MAX_UNIX_SECONDS;
use crate::value::Timestamp;

/// A finished body, and where the metadata stands in it.
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) metadata: Option<Range<usize>>,
}

/// Writes the body of an event.
///
/// # Errors
///
/// Fails when a value, the contact or the time is one that Intercom would refuse or misread.
pub(crate) fn body<E>(
    event: &E,
    name: &EventName,
    contact: &Contact,
    created_at: Timestamp,
) -> Result<Body, InvalidEvent>
where
    E: IntercomEvent + ?Sized,
{
    let invalid = |key, reason| InvalidEvent::new(name.clone(), key, reason);
    contact.check().map_err(|error| invalid(None, error.into()))?;
    let created_at = created_at.unix_seconds();
    if created_at.unsigned_abs() > MAX_UNIX_SECONDS.unsigned_abs() {
        return Err(invalid(None, Reason::CreatedAtMilliseconds));
    }
    with_scratch(|buffer| {
        envelope(buffer, name, contact, created_at);
        let before = buffer.len();
        buffer.extend_from_slice(b",\"metadata\":");
        let start = buffer.len();
        let mut metadata = MetadataEncoder::new(buffer);
        event.encode_metadata(&mut metadata);
        metadata.finish().map_err(|(key, error)| invalid(Some(key.into()), error.into()))?;
        let metadata = if buffer.len() == start {
            buffer.truncate(before);
            None
        } else {
            // Each member came with a comma; the first one's becomes the opening brace.
            buffer[start] = b'{';
            buffer.push(b'}');
            Some(start..buffer.len())
        };
        buffer.push(b'}');
        Ok(Body { bytes: Bytes::copy_from_slice(buffer), metadata })
    })
}

/// Writes everything before the metadata.
fn envelope(buffer: &mut Vec<u8>, name: &str, contact: &Contact, created_at: i64) {
    buffer.extend_from_slice(b"{\"event_name\":");
    json::text(buffer, name);
    buffer.extend_from_slice(b",\"created_at\":");
    json::number(buffer, created_at);
    for (member, identifier) in [
        (",\"user_id\":", contact.as_user_id()),
        (",\"email\":", contact.as_email()),
        (",\"id\":", contact.as_contact_id()),
    ] {
        if let Some(identifier) = identifier {
            buffer.extend_from_slice(member.as_bytes());
            json::text(buffer, identifier);
        }
    }
}

/// Lends a buffer that keeps its capacity from one event to the next, so that the body's own bytes are
/// the only allocation of an event.
fn with_scratch<R>(write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    const KEEP: usize = 64 * 1024;
    thread_local! {
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // While a thread ends its buffer may be gone already, and a value's own code may send an event
    // while this one is written: both get a fresh buffer.
    let mut buffer = SCRATCH.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    let result = write(&mut buffer);
    if buffer.capacity() <= KEEP {
        let _ = SCRATCH.try_with(|scratch| scratch.set(buffer));
    }
    result
}
