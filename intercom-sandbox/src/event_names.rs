//! The active event names of the workspace, of which Intercom allows so many.

use std::borrow::Cow;
use std::sync::RwLock;

use foldhash::HashMap;

use crate::refusal::Refusal;
use crate::sync::{read, write};

/// Intercom's documented limit.
pub(crate) const DEFAULT_LIMIT: usize = 120;

/// An active name: two names that are one to Intercom have one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NameId(u32);

pub(crate) struct EventNames {
    limit: usize,
    active: RwLock<Active>,
}

#[derive(Default)]
struct Active {
    /// In lower case, since upper and lower case are the same to Intercom.
    ids: HashMap<Box<str>, NameId>,
    /// As each was first sent, in the order of their ids.
    names: Vec<Box<str>>,
}

impl EventNames {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, active: RwLock::default() }
    }

    /// Makes the name an active one, if it is none yet and there is room for one more.
    pub(crate) fn admit(&self, name: &str) -> Result<NameId, Refusal> {
        let folded = fold(name);
        if let Some(&id) = read(&self.active).ids.get(&*folded) {
            return Ok(id);
        }
        let mut active = write(&self.active);
        // Another request may have been first.
        if let Some(&id) = active.ids.get(&*folded) {
            return Ok(id);
        }
        let full = || Refusal::too_many_event_names(self.limit);
        if active.names.len() >= self.limit {
            return Err(full());
        }
        let id = NameId(u32::try_from(active.names.len()).map_err(|_| full())?);
        active.ids.insert(folded.into(), id);
        active.names.push(name.into());
        Ok(id)
    }

    /// All of them as they were first sent, in the order in which they became active.
    pub(crate) fn all(&self) -> Vec<Box<str>> {
        read(&self.active).names.clone()
    }

    /// The name as it was first sent.
    pub(crate) fn name(&self, id: NameId) -> Box<str> {
        read(&self.active).names.get(id.0 as usize).cloned().unwrap_or_default()
    }
}

/// Most names are in lower case already.
fn fold(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        name.into()
    } else {
        name.to_lowercase().into()
    }
}
