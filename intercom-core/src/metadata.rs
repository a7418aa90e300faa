//! Collects an event's metadata: the members of one JSON object, in order.

use crate::value::{MetadataValue, ValueEncoder, ValueError};

/// A key as it stands in a body: a comma, the key in quotes, a colon.
pub(crate) type Key = &'static str;

/// Collects the metadata of one event. The derives call it; there is nothing in it for others.
#[derive(Debug)]
pub struct MetadataEncoder<'a> {
    buffer: &'a mut Vec<u8>,
    error: Option<(&'static str, ValueError)>,
}

impl<'a> MetadataEncoder<'a> {
    /// Members are added to what stands in the buffer.
    #[inline]
    pub(crate) fn new(buffer: &'a mut Vec<u8>) -> Self {
        MetadataEncoder { buffer, error: None }
    }

    #[inline]
    pub(crate) fn field<V>(&mut self, key: Key, value: &V, truncate: bool)
    where
        V: MetadataValue + ?Sized,
    {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(key.as_bytes());
        let written = value.encode(ValueEncoder::new(self.buffer, truncate));
        let absent = self.buffer.len() == start + key.len();
        if absent || written.is_err() {
            self.buffer.truncate(start);
        }
        if let Err(error) = written {
            // The first mistake is the one reported.
            self.error.get_or_insert((bare(key), error));
        }
    }

    /// Adds members that are written already, each with its comma before it.
    pub(crate) fn members(&mut self, members: &[u8]) {
        self.buffer.extend_from_slice(members);
    }

    /// Gives the first mistake, and the key it was made under.
    #[inline]
    pub(crate) fn finish(self) -> Result<(), (&'static str, ValueError)> {
        self.error.map_or(Ok(()), Err)
    }
}

/// The key itself, without the comma, quotes and colon around it.
fn bare(key: Key) -> &'static str {
    key.get(2..key.len() - 2).unwrap_or(key)
}
