//! A contact as a snapshot.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::details::{Details, Role};
use super::key::ContactKey;

/// A snapshot of a contact. Cheap to clone.
///
/// Serialized, it is the contact object of Intercom's API version 2.16.
#[derive(Debug, Clone)]
pub struct Contact {
    data: Arc<ContactData>,
}

#[derive(Debug, Clone)]
pub(super) struct ContactData {
    pub(super) key: ContactKey,
    pub(super) id: Arc<str>,
    pub(super) workspace_id: Arc<str>,
    pub(super) details: Details,
    pub(super) archived: bool,
    pub(super) created_at: u64,
    pub(super) updated_at: u64,
    /// Until then, events do not find the contact.
    pub(super) settles_at: Option<SystemTime>,
}

impl Contact {
    pub(super) fn new(
        key: ContactKey,
        id: Arc<str>,
        workspace_id: Arc<str>,
        details: Details,
        now: u64,
    ) -> Self {
        let data = ContactData {
            key,
            id,
            workspace_id,
            details,
            archived: false,
            created_at: now,
            updated_at: now,
            settles_at: None,
        };
        Self { data: Arc::new(data) }
    }

    pub(super) fn key(&self) -> ContactKey {
        self.data.key
    }

    pub(super) fn data(&self) -> &ContactData {
        &self.data
    }

    /// Returns the bytes of all details.
    pub(super) fn size(&self) -> usize {
        self.data.id.len() + self.data.details.size()
    }

    /// Returns the data to change; earlier clones keep the old data.
    pub(super) fn data_mut(&mut self) -> &mut ContactData {
        Arc::make_mut(&mut self.data)
    }

    /// Returns Intercom's own id of the contact.
    pub fn contact_id(&self) -> &str {
        &self.data.id
    }

    /// Returns the application's own id, `external_id` on the wire.
    pub fn user_id(&self) -> Option<&str> {
        self.data.details.user_id.as_deref()
    }

    /// Returns the email address.
    pub fn email(&self) -> Option<&str> {
        self.data.details.email.as_deref()
    }

    /// Returns the part of the email address after the `@`.
    pub(super) fn email_domain(&self) -> Option<&str> {
        Some(self.email()?.rsplit_once('@')?.1)
    }

    /// Returns the phone number.
    pub fn phone(&self) -> Option<&str> {
        self.data.details.phone.as_deref()
    }

    /// Returns the name.
    pub fn name(&self) -> Option<&str> {
        self.data.details.name.as_deref()
    }

    /// Returns the URL of the picture.
    pub fn avatar(&self) -> Option<&str> {
        self.data.details.avatar.as_deref()
    }

    /// Returns the id of the contact's owner, an admin.
    pub fn owner_id(&self) -> Option<&str> {
        self.data.details.owner_id.as_deref()
    }

    /// Returns the sign-up time in Unix seconds, if the application set it.
    pub fn signed_up_at(&self) -> Option<i64> {
        self.data.details.signed_up_at
    }

    /// Returns the time last seen in Unix seconds, if the application set it.
    pub fn last_seen_at(&self) -> Option<i64> {
        self.data.details.last_seen_at
    }

    /// Returns whether the contact is unsubscribed from emails.
    pub fn is_unsubscribed_from_emails(&self) -> bool {
        self.data.details.unsubscribed_from_emails
    }

    /// Returns the custom attributes.
    pub fn custom_attributes(&self) -> &Map<String, Value> {
        &self.data.details.custom_attributes
    }

    /// Returns the time of creation, in Unix seconds.
    pub fn created_at(&self) -> u64 {
        self.data.created_at
    }

    /// Returns the time of the last change, in Unix seconds.
    pub fn updated_at(&self) -> u64 {
        self.data.updated_at
    }

    /// Returns whether the contact is a lead instead of a user.
    pub fn is_lead(&self) -> bool {
        self.data.details.role == Role::Lead
    }

    /// Returns whether the contact is archived.
    pub fn is_archived(&self) -> bool {
        self.data.archived
    }
}
