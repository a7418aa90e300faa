//! Text and booleans as values.

use super::{MetadataValue, ValueEncoder, ValueError, Written, kind};

impl MetadataValue for str {
    type Kind = kind::Text;

    #[inline]
    fn encode(&self, encoder: ValueEncoder<'_, kind::Text>) -> Result<Written, ValueError> {
        encoder.text(self)
    }
}

impl MetadataValue for String {
    type Kind = kind::Text;

    #[inline]
    fn encode(&self, encoder: ValueEncoder<'_, kind::Text>) -> Result<Written, ValueError> {
        encoder.text(self)
    }
}

impl MetadataValue for char {
    type Kind = kind::Text;

    #[inline]
    fn encode(&self, encoder: ValueEncoder<'_, kind::Text>) -> Result<Written, ValueError> {
        encoder.text(self.encode_utf8(&mut [0; 4]))
    }
}

impl MetadataValue for bool {
    type Kind = kind::Boolean;

    #[inline]
    fn encode(&self, encoder: ValueEncoder<'_, kind::Boolean>) -> Result<Written, ValueError> {
        encoder.boolean(*self)
    }
}
