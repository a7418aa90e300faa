//! Encodes an event into its finished JSON body, in one pass.
//!
//! The encoder writes into a buffer that each thread keeps, then copies the body out. That copy is
//! the event's only allocation. The derive hands over each key in wire form, with comma, quotes and
//! colon, because no allowed key needs escaping. An absent value removes its key again. The first
//! comma becomes the opening brace. `serde_json` does the escaping and formats the numbers. After a
//! mistake the pass goes on, and [`body`] returns the first mistake, with its event and key.

use std::ops::Range;

use bytes::Bytes;

use crate::contact::Contact;
use crate::event::IntercomEvent;
use crate::event_name::EventName;
use crate::invalid::{InvalidEvent, Reason};
use crate::json;
use crate::metadata::MetadataEncoder;
use crate::value::{Timestamp, ValueError};

/// A finished body, and the range of the metadata in it.
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) metadata: Option<Range<usize>>,
}

/// The metadata of any event.
///
/// The compiler instantiates what is generic over events for each of them. So only this is, and
/// encoding is not. References implement it, because a table of an event's own methods would have
/// its drop code too.
pub(crate) trait Metadata {
    fn write(&self, out: &mut MetadataEncoder<'_>);
}

impl<E: IntercomEvent> Metadata for &E {
    fn write(&self, out: &mut MetadataEncoder<'_>) {
        (*self).encode_metadata(out);
    }
}

/// Writes the body of an event.
///
/// # Errors
///
/// Fails when Intercom would refuse or misread a value, the contact or the time.
pub(crate) fn body(
    event: &dyn Metadata,
    name: &EventName,
    contact: &Contact,
    created_at: Timestamp,
) -> Result<Body, InvalidEvent> {
    let mut draft = Draft::begin(name, contact, created_at)?;
    let mut metadata = MetadataEncoder::new(&mut draft.buffer);
    event.write(&mut metadata);
    let written = metadata.finish();
    draft.finish(name, written)
}

/// A body under construction.
struct Draft {
    buffer: Vec<u8>,
    /// The end of the envelope, where the metadata's members begin.
    envelope: usize,
    members: usize,
}

impl Draft {
    /// Writes everything before the metadata's members.
    #[inline]
    fn begin(
        name: &EventName,
        contact: &Contact,
        created_at: Timestamp,
    ) -> Result<Self, InvalidEvent> {
        let invalid = |reason| InvalidEvent::new(name.clone(), None, reason);
        contact.check().map_err(|error| invalid(error.into()))?;
        if created_at.is_in_milliseconds() {
            return Err(invalid(Reason::CreatedAtMilliseconds));
        }
        let created_at = created_at.unix_seconds();
        let mut buffer = scratch::take();
        buffer.extend_from_slice(b"{\"event_name\":");
        json::text(&mut buffer, name);
        buffer.extend_from_slice(b",\"created_at\":");
        json::number(&mut buffer, created_at);
        for (member, identifier) in [
            (",\"user_id\":", contact.as_user_id()),
            (",\"email\":", contact.as_email()),
            (",\"id\":", contact.as_contact_id()),
        ] {
            if let Some(identifier) = identifier {
                buffer.extend_from_slice(member.as_bytes());
                json::text(&mut buffer, identifier);
            }
        }
        let envelope = buffer.len();
        buffer.extend_from_slice(b",\"metadata\":");
        let members = buffer.len();
        Ok(Draft { buffer, envelope, members })
    }

    /// Finishes the body and copies it out.
    #[inline]
    fn finish(
        self,
        name: &EventName,
        written: Result<(), (&'static str, ValueError)>,
    ) -> Result<Body, InvalidEvent> {
        let Draft { mut buffer, envelope, members } = self;
        written.map_err(|(key, error)| {
            InvalidEvent::new(name.clone(), Some(key.into()), error.into())
        })?;
        let metadata = if buffer.len() == members {
            buffer.truncate(envelope);
            None
        } else {
            // Each member begins with a comma. The first comma becomes the opening brace.
            buffer[members] = b'{';
            buffer.push(b'}');
            Some(members..buffer.len())
        };
        buffer.push(b'}');
        let body = Body { bytes: Bytes::copy_from_slice(&buffer), metadata };
        scratch::give_back(buffer);
        Ok(body)
    }
}

mod scratch {
    //! Keeps a buffer on each thread from one event to the next. So an event allocates only its
    //! body.

    use std::cell::Cell;

    /// A buffer that grows beyond this is dropped.
    const KEEP: usize = 64 * 1024;

    thread_local! {
        static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }

    /// Takes the thread's buffer, or a fresh one. A thread that ends may have dropped its buffer
    /// already. A value's own code may send an event while the encoder writes this one.
    #[inline]
    pub(super) fn take() -> Vec<u8> {
        let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
        buffer.clear();
        buffer
    }

    #[inline]
    pub(super) fn give_back(buffer: Vec<u8>) {
        if buffer.capacity() <= KEEP {
            let _ = BUFFER.try_with(|kept| kept.set(buffer));
        }
    }
}
