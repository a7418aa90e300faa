//! Sent summaries, bounded: events from before a sender began to send them one by one.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use crate::contacts::ContactKey;
use crate::event_names::NameId;
use crate::sync::lock;

/// The limit of kept summaries; then the sandbox drops the oldest.
const MAX_SUMMARIES: usize = 100_000;

/// The count of a contact's event, with its first and last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Summary {
    /// Returns the sum of both summaries.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

#[derive(Default)]
pub(crate) struct Summaries {
    kept: Mutex<StoredSummary>,
}

#[derive(Default)]
struct StoredSummary {
    summaries: HashMap<(ContactKey, NameId), Summary>,
    order: VecDeque<(ContactKey, NameId)>,
}

impl Summaries {
    /// Stores a summary, and replaces an earlier one of the same contact and name, so that a repeat
    /// does not count twice.
    pub(crate) fn set(&self, contact: ContactKey, name: NameId, summary: Summary) {
        let mut kept = lock(&self.kept);
        if kept.summaries.insert((contact, name), summary).is_some() {
            return;
        }
        kept.order.push_back((contact, name));
        if kept.order.len() > MAX_SUMMARIES
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.summaries.remove(&oldest);
        }
    }

    /// Returns the summaries of these contacts.
    pub(crate) fn of(&self, contacts: &[ContactKey]) -> Vec<(NameId, Summary)> {
        let kept = lock(&self.kept);
        kept.summaries
            .iter()
            .filter(|((contact, _), _)| contacts.contains(contact))
            .map(|((_, name), summary)| (*name, *summary))
            .collect()
    }

    pub(crate) fn clear(&self) {
        *lock(&self.kept) = StoredSummary::default();
    }
}
