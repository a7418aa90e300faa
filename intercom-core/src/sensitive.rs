//! The keys whose values the program masks wherever it shows an event.

use std::sync::Arc;

use crate::description::EventDescription;

/// The names of an event's sensitive keys, from its description or known only at run time.
///
/// Only the derive uses this type, as with [`MetadataEncoder`](crate::MetadataEncoder). Other code
/// calls [`DataEvent::sensitive_keys`](crate::DataEvent::sensitive_keys).
#[derive(Clone, Debug, Default)]
pub struct SensitiveKeys(Keys);

#[derive(Clone, Debug, Default)]
enum Keys {
    #[default]
    None,
    Described(&'static EventDescription),
    Named(Arc<[Box<str>]>),
}

impl SensitiveKeys {
    pub(crate) const fn none() -> Self {
        SensitiveKeys(Keys::None)
    }

    pub(crate) fn described(event: &'static EventDescription) -> Self {
        SensitiveKeys(Keys::Described(event))
    }

    pub(crate) fn named<K: Into<Box<str>>>(keys: impl IntoIterator<Item = K>) -> Self {
        let keys: Arc<[_]> = keys.into_iter().map(Into::into).collect();
        SensitiveKeys(if keys.is_empty() { Keys::None } else { Keys::Named(keys) })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let (described, named) = match &self.0 {
            Keys::None => (None, None),
            Keys::Described(event) => (Some(event.sensitive_keys()), None),
            Keys::Named(keys) => (None, Some(keys.iter())),
        };
        let described = described.into_iter().flatten().map(|key| -> &str { key });
        described.chain(named.into_iter().flatten().map(|key| &**key))
    }
}

/// Compares the names alone, so that a stored event equals its original.
impl PartialEq for SensitiveKeys {
    fn eq(&self, other: &Self) -> bool {
        if let (Keys::None, Keys::None) = (&self.0, &other.0) {
            return true;
        }
        let [mut own, mut others] = [self, other].map(|keys| keys.iter().collect::<Vec<_>>());
        own.sort_unstable();
        others.sort_unstable();
        own == others
    }
}

impl Eq for SensitiveKeys {}
