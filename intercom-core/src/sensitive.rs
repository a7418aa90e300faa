//! The keys whose values are masked wherever an event is shown.

use std::sync::Arc;

use crate::description::EventDescription;

/// The names of an event's sensitive keys: those of its description, or names known only at run time.
///
/// The derive's business, as [`MetadataEncoder`](crate::MetadataEncoder) is. For others there is
/// [`DataEvent::sensitive_keys`](crate::DataEvent::sensitive_keys).
#[derive(Clone, Debug, Default)]
pub struct SensitiveKeys(Keys);

/// Thin pointers: each event is moved with them.
#[derive(Clone, Debug, Default)]
enum Keys {
    #[default]
    None,
    Described(&'static EventDescription),
    Named(Arc<Box<[Box<str>]>>),
}

impl SensitiveKeys {
    pub(crate) const fn none() -> Self {
        SensitiveKeys(Keys::None)
    }

    pub(crate) fn described(event: &'static EventDescription) -> Self {
        SensitiveKeys(Keys::Described(event))
    }

    pub(crate) fn named<K: Into<Box<str>>>(keys: impl IntoIterator<Item = K>) -> Self {
        let keys: Box<[_]> = keys.into_iter().map(Into::into).collect();
        SensitiveKeys(if keys.is_empty() { Keys::None } else { Keys::Named(Arc::new(keys)) })
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

/// Equal are the same names: an event read from a store is the one that was stored.
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
