//! Event names: a literal for a derived event, shared text for one known at run time.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::rules::{self, NameError};

/// The name of an event. Cheap to clone: a derived event's name is a literal.
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
    /// Fails when the name is blank, has more than 255 characters, or has a `.`, a `$` or an
    /// invisible character.
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self, NameError> {
        let name = name.into();
        rules::check_name(&name)?;
        Ok(EventName(Name::Shared(name)))
    }

    /// Creates a name without a check, for the error that says what is wrong with it.
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
