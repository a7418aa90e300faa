//! Text and booleans as values.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{MetadataValue, ValueEncoder, ValueError, Written, kind};

#[diagnostic::do_not_recommend]
impl MetadataValue for str {
    type Kind = kind::Text;

    #[inline]
    fn encode(&self, encoder: ValueEncoder<'_, kind::Text>) -> Result<Written, ValueError> {
        encoder.text(self)
    }
}

#[diagnostic::do_not_recommend]
impl MetadataValue for String {
    type Kind = kind::Text;

    #[inline]
    fn encode(&self, encoder: ValueEncoder<'_, kind::Text>) -> Result<Written, ValueError> {
        encoder.text(self)
    }
}

#[diagnostic::do_not_recommend]
impl MetadataValue for char {
    type Kind = kind::Text;

    #[inline]
    fn encode(&self, encoder: ValueEncoder<'_, kind::Text>) -> Result<Written, ValueError> {
        encoder.text(self.encode_utf8(&mut [0; 4]))
    }
}

macro_rules! displayed {
    ($($type:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl MetadataValue for $type {
            type Kind = kind::Text;

            fn encode(&self, encoder: ValueEncoder<'_, kind::Text>) -> Result<Written, ValueError> {
                encoder.display(self)
            }
        }
    )*};
}
displayed!(IpAddr Ipv4Addr Ipv6Addr);

#[diagnostic::do_not_recommend]
impl MetadataValue for bool {
    type Kind = kind::Boolean;

    #[inline]
    fn encode(&self, encoder: ValueEncoder<'_, kind::Boolean>) -> Result<Written, ValueError> {
        encoder.boolean(*self)
    }
}
