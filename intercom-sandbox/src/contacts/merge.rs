//! Merging a lead into a user.

use std::sync::Arc;
use std::time::SystemTime;

use super::changes::replace;
use super::details::Details;
use super::store::ContactStore;
use super::{Contact, ContactError, Directory, Identifier, MergeRecord};
use crate::clock::unix_seconds;
use crate::sync::{read, write};

impl Directory {
    /// Merges a lead into a user. The user takes the details that it lacks, and from then on has
    /// the lead's events.
    pub(crate) fn merge(
        &self,
        from: &str,
        into: &str,
        skip_duplicate_validation: bool,
        now: SystemTime,
    ) -> Result<Contact, ContactError> {
        let mut store = write(&self.store);
        let lead = self.known(&store, from)?.clone();
        let mut user = self.known(&store, into)?.clone();
        if !lead.is_lead() || user.is_lead() {
            return Err(ContactError::NotLeadIntoUser);
        }
        let any = skip_duplicate_validation || !self.rules.merges_only_duplicates;
        if !any && !are_duplicates(&lead, &user) {
            return Err(ContactError::NotDuplicates);
        }
        store.record_merge(lead.key(), user.key(), unix_seconds(now));
        let data = user.data_mut();
        complete(&mut data.details, &lead.data().details, &store);
        data.updated_at = unix_seconds(now);
        replace(&mut store, &user);
        Ok(user)
    }

    /// Returns the contacts merged into a user, latest first. A lead has no history.
    pub(crate) fn merge_history(&self, contact: &Contact) -> Option<Vec<MergeRecord>> {
        let merges = || read(&self.store).merges_into(contact.key()).into_iter();
        let record = |(source, at): (Arc<str>, u64)| MergeRecord::new(&source, at);
        (!contact.is_lead()).then(|| merges().map(record).collect())
    }
}

fn are_duplicates(one: &Contact, other: &Contact) -> bool {
    let same = |one: Option<&str>, other| one.is_some() && one == other;
    same(one.email(), other.email()) || same(one.phone(), other.phone())
}

/// Copies the lead's details that the user lacks, except an identifier that another contact has.
fn complete(user: &mut Details, lead: &Details, store: &ContactStore) {
    let free = |kind, value: &Option<Arc<str>>| {
        value.clone().filter(|value| store.with(kind, value).all(Contact::is_lead))
    };
    user.user_id = user.user_id.take().or_else(|| free(Identifier::UserId, &lead.user_id));
    user.email = user.email.take().or_else(|| free(Identifier::Email, &lead.email));
    let fill = |has: &mut Option<String>, other: &Option<String>| {
        if has.is_none() {
            has.clone_from(other);
        }
    };
    fill(&mut user.phone, &lead.phone);
    fill(&mut user.name, &lead.name);
    fill(&mut user.avatar, &lead.avatar);
    fill(&mut user.owner_id, &lead.owner_id);
    user.signed_up_at = user.signed_up_at.or(lead.signed_up_at);
    user.last_seen_at = user.last_seen_at.max(lead.last_seen_at);
    for (key, value) in &lead.custom_attributes {
        user.custom_attributes.entry(key).or_insert_with(|| value.clone());
    }
}
