//! Event names: a literal for a derived event, shared text for one known at run time.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use crate::rules::{self, NameError};

/// The name of an event. Cheap to clone: it is a `&'static str` or an `Arc<str>`.
///
/// Events and errors return it as `event_name()`.
#[derive(Clone)]
pub struct EventName(Name);

#[derive(Clone)]
enum Name {
    Static(&'static str),
    Shared(Arc<str>),
}

impl EventName {
    /// Creates a name that is known only at run time.
    ///
    /// # Errors
    ///
    /// Fails when the name is blank, begins or ends with white space, or has more than 255
    /// characters. Fails when it has a `.`, a `$` or an invisible character.
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self, NameError> {
        let name = name.into();
        rules::check_name(&name)?;
        Ok(EventName(Name::Shared(name)))
    }

    /// Creates a name without a check, for the error about an invalid name.
    pub(crate) fn unchecked(name: &str) -> Self {
        EventName(Name::Shared(name.into()))
    }

    /// Creates a name that the derive has checked.
    #[doc(hidden)]
    pub const fn __checked(name: &'static str) -> Self {
        EventName(Name::Static(name))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Static(name) => name,
            Name::Shared(name) => name,
        }
    }
}

impl Deref for EventName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for EventName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for EventName {}

impl PartialEq<str> for EventName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialOrd for EventName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EventName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for EventName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
