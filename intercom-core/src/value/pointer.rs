//! `Option`, references and smart pointers of values: values of the same kind.
//!
//! Every implementation of [`MetadataValue`] is `do_not_recommend`. Otherwise the compiler would
//! list unrelated types under each mistake.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use super::{MetadataValue, ValueEncoder, ValueError, Written};

#[diagnostic::do_not_recommend]
impl<T: MetadataValue> MetadataValue for Option<T> {
    type Kind = T::Kind;

    const OPTIONAL: bool = true;

    const TEXTS: &'static [&'static str] = T::TEXTS;

    #[inline]
    fn encode(&self, encoder: ValueEncoder<'_, T::Kind>) -> Result<Written, ValueError> {
        match self {
            Some(value) => value.encode(encoder),
            None => encoder.absent(),
        }
    }
}

macro_rules! forward {
    ($($pointer:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: MetadataValue + ?Sized> MetadataValue for $pointer {
            type Kind = T::Kind;

            const OPTIONAL: bool = T::OPTIONAL;

            const TEXTS: &'static [&'static str] = T::TEXTS;

            #[inline]
            fn encode(&self, encoder: ValueEncoder<'_, T::Kind>) -> Result<Written, ValueError> {
                T::encode(self, encoder)
            }
        }
    )*};
}

forward! {
    &T;
    &mut T;
    Box<T>;
    Rc<T>;
    Arc<T>;
}

#[diagnostic::do_not_recommend]
impl<T: MetadataValue + ToOwned + ?Sized> MetadataValue for Cow<'_, T> {
    type Kind = T::Kind;

    const OPTIONAL: bool = T::OPTIONAL;

    const TEXTS: &'static [&'static str] = T::TEXTS;

    #[inline]
    fn encode(&self, encoder: ValueEncoder<'_, T::Kind>) -> Result<Written, ValueError> {
        T::encode(self, encoder)
    }
}
