//! Builds an event from a name and keys known only at run time, and checks it against the lock if
//! there is one.

use intercom_catalogue::{PlannedEvent, PlannedKey};
use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp, rules};

use crate::failure::Failure;
use crate::lock_file::{self, LockFile};
use crate::value::Value;

/// An incomplete event.
pub(crate) struct EventBuilder<'a> {
    name: &'a str,
    planned: Option<(&'a PlannedEvent, &'a LockFile)>,
    event: DynamicEvent,
    given: Vec<String>,
}

impl<'a> EventBuilder<'a> {
    /// Begins an event.
    ///
    /// # Errors
    ///
    /// Fails when the lock does not have the event, or when Intercom would refuse the name.
    pub(crate) fn new(name: &'a str, lock: Option<&'a LockFile>) -> Result<Self, Failure> {
        let planned = match lock {
            Some(lock) => Some((lock.event(name)?, lock)),
            None => None,
        };
        let name = planned.map_or(name, |(planned, _)| &planned.name);
        let mut event = DynamicEvent::new(name)?;
        let keys = planned.map_or(0, |(planned, _)| planned.keys.len());
        if keys > rules::DEFAULT_MAX_KEYS {
            event = event.max_keys(keys)?;
        }
        Ok(EventBuilder { name, planned, event, given: Vec::new() })
    }

    /// Returns the event's name.
    pub(crate) fn name(&self) -> &'a str {
        self.name
    }

    /// Returns the event in the lock, if there is a lock.
    pub(crate) fn planned(&self) -> Option<&'a PlannedEvent> {
        self.planned.map(|(planned, _)| planned)
    }

    /// Returns the key in the lock, if there is a lock.
    ///
    /// # Errors
    ///
    /// Fails when the lock has no such key.
    pub(crate) fn planned_key(&self, key: &str) -> Result<Option<&'a PlannedKey>, Failure> {
        let Some((event, lock)) = self.planned else { return Ok(None) };
        if let Some(key) = event.keys.iter().find(|planned| lock_file::same(&planned.key, key)) {
            return Ok(Some(key));
        }
        let keys: Vec<_> = event.keys.iter().map(|key| format!("`{}`", key.key)).collect();
        Err(Failure::usage(format!(
            "event `{}` has no key `{}` in {}; its keys are {}",
            event.name,
            key.escape_debug(),
            lock.path.display(),
            if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
        )))
    }

    /// Adds a key in the lock's spelling, marked if the lock says that it is sensitive.
    ///
    /// # Errors
    ///
    /// Fails when the lock does not have the key, and when Intercom would refuse or misread it.
    pub(crate) fn add(self, key: &str, value: &Value) -> Result<Self, Failure> {
        let planned = self.planned_key(key)?;
        if let (Some(planned), Value::Text(text)) = (planned, value)
            && !planned.texts.is_empty()
            && !planned.texts.contains(text)
        {
            let texts = planned.texts.join(", ");
            return Err(
                self.mistake(key, &format!("the lock has no such text; write one of {texts}"))
            );
        }
        let EventBuilder { name, planned: of_lock, event, mut given } = self;
        let is_sensitive = planned.is_some_and(|key| key.sensitive);
        let key = planned.map_or(key, |key| &key.key);
        let event = value.add_to(event, key, is_sensitive)?;
        given.push(key.to_owned());
        Ok(EventBuilder { name, planned: of_lock, event, given })
    }

    /// Returns a failure about the value of a key.
    pub(crate) fn mistake(&self, key: &str, what: &str) -> Failure {
        let name = self.name.escape_debug();
        Failure::usage(format!("event `{name}`, key `{}`: {what}", key.escape_debug()))
    }

    /// Encodes the event.
    ///
    /// # Errors
    ///
    /// Fails when a key is missing that the event always has, and when Intercom would refuse or
    /// misread the event.
    pub(crate) fn finish(
        self,
        contact: Contact,
        created_at: Timestamp,
    ) -> Result<DataEvent, Failure> {
        if let Some((planned, lock)) = self.planned {
            let missing = lock_file::missing_keys(planned, &self.given);
            if !missing.is_empty() {
                return Err(Failure::usage(format!(
                    "event `{}` lacks {}, which {} requires; add KEY=VALUE for each",
                    planned.name,
                    missing.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "),
                    lock.path.display()
                )));
            }
        }
        Ok(DataEvent::new(&self.event, contact, created_at)?)
    }
}
