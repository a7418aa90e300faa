//! Hints on why an event found no contact, which Intercom's answers do not have.

use std::time::SystemTime;

use super::store::ContactStore;
use super::{Contact, Directory, Identifier};
use crate::clock::Clock;
use crate::refusal::{Hint, Refusal};
use crate::sync::read;

impl Directory {
    /// Returns the refusal of an event whose identifier names no contact, with a hint.
    pub(crate) fn not_found(&self, kind: Identifier, value: &str, clock: &dyn Clock) -> Refusal {
        let hint = hint(&read(&self.store), kind, value, clock.now());
        Refusal::user_not_found().with_hint(hint)
    }
}

fn hint(store: &ContactStore, kind: Identifier, value: &str, now: SystemTime) -> Hint {
    let meant = match kind {
        Identifier::ContactId => store.follow(value),
        // The hint is about the contact that needs the smallest fix: a user before a lead, and an
        // active contact before an archived one.
        Identifier::UserId | Identifier::Email => {
            store.with(kind, value).min_by_key(|contact| (contact.is_lead(), contact.is_archived()))
        }
    };
    if let Some(contact) = meant {
        return of_contact(contact, now);
    }
    match kind {
        Identifier::ContactId if store.with(Identifier::UserId, value).next().is_some() => {
            "This is the application's own id of a user: send it as user_id. The member id takes \
             Intercom's own id of a contact."
                .into()
        }
        Identifier::ContactId => {
            "No contact has this id. The member id takes Intercom's own id, from the answer to \
             POST /contacts: send the application's own id as user_id."
                .into()
        }
        Identifier::UserId if store.by_id(value).is_some() => {
            "This is Intercom's own id of a contact: send it as id, and not as user_id.".into()
        }
        Identifier::UserId if value.contains('@') => format!(
            "This looks like an email: send it as email. Otherwise {}",
            create("external_id")
        )
        .into(),
        Identifier::UserId => format!("No user has this id: {}", create("external_id")).into(),
        Identifier::Email => format!("No user has this email: {}", create("email")).into(),
    }
}

fn of_contact(contact: &Contact, now: SystemTime) -> Hint {
    let id = contact.contact_id();
    if contact.is_archived() {
        return Hint::about_contact(
            "The contact is archived: unarchive it with POST /contacts/{id}/unarchive.",
            id,
        );
    }
    let settles_in =
        contact.data().settles_at.and_then(|settles_at| settles_at.duration_since(now).ok());
    match settles_in {
        Some(settles_in) if !settles_in.is_zero() => format!(
            "The contact is so new that events do not find it yet: send the event again in \
             {settles_in:?}."
        )
        .into(),
        _ => Hint::about_contact(
            "The contact is a lead, which an event can name only by its id: send \"id\": \"{id}\".",
            id,
        ),
    }
}

fn create(member: &str) -> String {
    format!(
        "create the contact with POST /contacts and this {member}, start the sandbox with it, or \
         with `--know-everybody`."
    )
}
