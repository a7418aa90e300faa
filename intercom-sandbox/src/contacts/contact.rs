//! A contact, as it was at one moment.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::details::{Details, Role};
use super::key::ContactKey;

/// A contact of the workspace, as it was when it was asked for. Cheap to clone.
///
/// Serialized it is the contact object of Intercom's API, in its version 2.16.
#[derive(Debug, Clone)]
pub struct Contact {
    data: Arc<Data>,
}

#[derive(Debug, Clone)]
pub(super) struct Data {
    pub(super) key: ContactKey,
    pub(super) id: Arc<str>,
    pub(super) workspace_id: Arc<str>,
    pub(super) details: Details,
    pub(super) archived: bool,
    pub(super) created_at: u64,
    pub(super) updated_at: u64,
    /// Until when its events find nobody, where that was asked for.
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
        let data = Data {
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

    pub(super) fn data(&self) -> &Data {
        &self.data
    }

    /// How many bytes all that is said of it takes.
    pub(super) fn size(&self) -> usize {
        self.data.id.len() + self.data.details.size()
    }

    /// What is changed here is not seen by those who were given the contact before.
    pub(super) fn data_mut(&mut self) -> &mut Data {
        Arc::make_mut(&mut self.data)
    }

    /// Intercom's own id of it.
    pub fn contact_id(&self) -> &str {
        &self.data.id
    }

    /// The application's own id, `external_id` on the wire.
    pub fn user_id(&self) -> Option<&str> {
        self.data.details.user_id.as_deref()
    }

    /// Its email address.
    pub fn email(&self) -> Option<&str> {
        self.data.details.email.as_deref()
    }

    /// What comes after the `@` of its email address.
    pub(super) fn email_domain(&self) -> Option<&str> {
        Some(self.email()?.rsplit_once('@')?.1)
    }

    /// Its phone number.
    pub fn phone(&self) -> Option<&str> {
        self.data.details.phone.as_deref()
    }

    /// Its name.
    pub fn name(&self) -> Option<&str> {
        self.data.details.name.as_deref()
    }

    /// The URL of its picture.
    pub fn avatar(&self) -> Option<&str> {
        self.data.details.avatar.as_deref()
    }

    /// The id of the admin who looks after it.
    pub fn owner_id(&self) -> Option<&str> {
        self.data.details.owner_id.as_deref()
    }

    /// When it signed up, in Unix seconds, as far as the application said so.
    pub fn signed_up_at(&self) -> Option<i64> {
        self.data.details.signed_up_at
    }

    /// When it was last seen, in Unix seconds, as far as the application said so.
    pub fn last_seen_at(&self) -> Option<i64> {
        self.data.details.last_seen_at
    }

    /// Whether it wants no emails.
    pub fn is_unsubscribed_from_emails(&self) -> bool {
        self.data.details.unsubscribed_from_emails
    }

    /// Its custom attributes.
    pub fn custom_attributes(&self) -> &Map<String, Value> {
        &self.data.details.custom_attributes
    }

    /// When it was created, in Unix seconds.
    pub fn created_at(&self) -> u64 {
        self.data.created_at
    }

    /// When anything about it was last changed, in Unix seconds.
    pub fn updated_at(&self) -> u64 {
        self.data.updated_at
    }

    /// Whether it is a lead, and not a user.
    pub fn is_lead(&self) -> bool {
        self.data.details.role == Role::Lead
    }

    /// Whether it is archived.
    pub fn is_archived(&self) -> bool {
        self.data.archived
    }
}
