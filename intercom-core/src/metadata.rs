//! Collects an event's metadata: the members of one JSON object, in order.

use crate::value::{MetadataValue, ValueEncoder, ValueError};

/// A key in wire form: a comma, the quoted key, a colon.
pub(crate) type Key = &'static str;

/// Collects the metadata of one event. Only the derives call it.
#[derive(Debug)]
pub struct MetadataEncoder<'a> {
    buffer: &'a mut Vec<u8>,
    error: Option<(&'static str, ValueError)>,
}

impl<'a> MetadataEncoder<'a> {
    /// Appends members to the buffer's content.
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
            // Reports the first mistake only.
            self.error.get_or_insert((bare(key), error));
        }
    }

    /// Adds members in wire form, each after a comma.
    pub(crate) fn members(&mut self, members: &[u8]) {
        self.buffer.extend_from_slice(members);
    }

    /// Returns the first mistake, and its key.
    #[inline]
    pub(crate) fn finish(self) -> Result<(), (&'static str, ValueError)> {
        self.error.map_or(Ok(()), Err)
    }
}

/// Returns the key without the comma, quotes and colon around it.
fn bare(key: Key) -> &'static str {
    key.get(2..key.len() - 2).unwrap_or(key)
}
