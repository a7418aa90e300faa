//! The active event names of the workspace, whose number Intercom limits.

use std::borrow::Cow;
use std::sync::RwLock;

use foldhash::HashMap;

use crate::refusal::Refusal;
use crate::sync::{read, write};

/// Intercom's documented limit.
pub(crate) const DEFAULT_LIMIT: usize = 120;

/// The id of an active name. Names that Intercom treats as equal share an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NameId(u32);

pub(crate) struct EventNames {
    limit: usize,
    active: RwLock<Active>,
}

#[derive(Default)]
struct Active {
    /// Keys in lower case, since Intercom ignores case.
    ids: HashMap<Box<str>, NameId>,
    /// Each name as first sent, in the order of the ids.
    names: Vec<Box<str>>,
}

impl EventNames {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, active: RwLock::default() }
    }

    /// Activates the name, unless it is active already. Fails if the names are at their limit.
    pub(crate) fn admit(&self, name: &str) -> Result<NameId, Refusal> {
        let folded = fold(name);
        if let Some(&id) = read(&self.active).ids.get(&*folded) {
            return Ok(id);
        }
        let mut active = write(&self.active);
        // Another request may have activated the name between the two locks.
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

    /// Returns all names as first sent, in order of activation.
    pub(crate) fn all(&self) -> Vec<Box<str>> {
        read(&self.active).names.clone()
    }

    /// Returns the name as first sent.
    pub(crate) fn name(&self, id: NameId) -> Box<str> {
        read(&self.active).names.get(id.0 as usize).cloned().unwrap_or_default()
    }
}

/// Lowers the case of a name. Most names are in lower case already.
fn fold(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        name.into()
    } else {
        name.to_lowercase().into()
    }
}
