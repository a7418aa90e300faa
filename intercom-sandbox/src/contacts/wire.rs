//! The contact object of Intercom's API, by the description of version 2.16, with the differences
//! of older versions.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::contact::Contact;
use super::details::Role;
use crate::version::ApiVersion;

/// The options of the JSON of contacts in an answer.
#[derive(Clone, Copy)]
pub(crate) struct ContactFormat<'a> {
    pub(crate) version: ApiVersion,
    /// Returns the merge history of a contact, if the request includes it.
    pub(crate) merge_history: Option<&'a MergeHistory<'a>>,
}

/// Returns the contacts merged into a user; a lead has no history.
pub(crate) type MergeHistory<'a> = dyn Fn(&Contact) -> Option<Vec<MergeRecord>> + 'a;

/// A contact with the options of its JSON.
pub(crate) struct FormattedContact<'a> {
    pub(crate) contact: &'a Contact,
    pub(crate) form: ContactFormat<'a>,
}

/// A merged contact.
#[derive(Serialize)]
pub(crate) struct MergeRecord {
    #[serde(rename = "type")]
    kind: &'static str,
    source_contact_id: String,
    /// In Unix seconds.
    merged_at: u64,
}

impl MergeRecord {
    pub(super) fn new(source_contact_id: &str, merged_at: u64) -> Self {
        let source_contact_id = source_contact_id.to_owned();
        Self { kind: "merge_history", source_contact_id, merged_at }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum OwnerId<'a> {
    Text(&'a str),
    Integer(u64),
}

/// An empty list of a contact: the sandbox has no tags, notes, companies and subscriptions. The URL
/// is where Intercom lists more.
#[derive(Serialize)]
struct Empty {
    #[serde(rename = "type")]
    kind: &'static str,
    data: [(); 0],
    url: String,
    total_count: u8,
    has_more: bool,
}

impl Empty {
    fn of(contact: &Contact, what: &str) -> Self {
        let url = format!("/contacts/{}/{what}", contact.contact_id());
        Self { kind: "list", data: [], url, total_count: 0, has_more: false }
    }
}

#[derive(Serialize)]
struct SocialProfiles {
    #[serde(rename = "type")]
    kind: &'static str,
    data: [(); 0],
}

#[derive(Serialize)]
struct Avatar<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    image_url: &'a str,
}

/// The location of a contact, which the sandbox never learns.
#[derive(Default, Serialize)]
struct Location {
    #[serde(rename = "type")]
    kind: &'static str,
    country: (),
    region: (),
    city: (),
    country_code: (),
    continent_code: (),
}

/// Fields that Intercom fills from its messenger and mails: always `null` here.
#[derive(Default, Serialize)]
struct Unknown {
    last_replied_at: (),
    last_contacted_at: (),
    last_email_opened_at: (),
    last_email_clicked_at: (),
    language_override: (),
    browser: (),
    browser_version: (),
    browser_language: (),
    os: (),
    android_app_name: (),
    android_app_version: (),
    android_device: (),
    android_os_version: (),
    android_sdk_version: (),
    android_last_seen_at: (),
    ios_app_name: (),
    ios_app_version: (),
    ios_device: (),
    ios_os_version: (),
    ios_sdk_version: (),
    ios_last_seen_at: (),
    utm_campaign: (),
    utm_content: (),
    utm_medium: (),
    utm_source: (),
    utm_term: (),
    referrer: (),
    enabled_push_messaging: (),
}

#[derive(Serialize)]
struct ContactJson<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    workspace_id: &'a str,
    external_id: Option<&'a str>,
    role: Role,
    email: Option<&'a str>,
    email_domain: Option<&'a str>,
    phone: Option<&'a str>,
    name: Option<&'a str>,
    avatar: Option<Avatar<'a>>,
    owner_id: Option<OwnerId<'a>>,
    social_profiles: SocialProfiles,
    has_hard_bounced: bool,
    marked_email_as_spam: bool,
    unsubscribed_from_emails: bool,
    created_at: u64,
    updated_at: u64,
    signed_up_at: Option<i64>,
    last_seen_at: Option<i64>,
    location: Location,
    custom_attributes: &'a Map<String, Value>,
    tags: Empty,
    notes: Empty,
    companies: Empty,
    opted_out_subscription_types: Empty,
    opted_in_subscription_types: Empty,
    #[serde(skip_serializing_if = "Option::is_none")]
    merge_history: Option<Vec<MergeRecord>>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Serialize for Contact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = ContactFormat { version: ApiVersion::DEFAULT, merge_history: None };
        FormattedContact { contact: self, form }.serialize(serializer)
    }
}

impl Serialize for FormattedContact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let contact = self.contact;
        let data = contact.data();
        let owner_id = contact.owner_id().map(|id| {
            match (self.form.version.has_integer_owner(), id.parse()) {
                (true, Ok(id)) => OwnerId::Integer(id),
                _ => OwnerId::Text(id),
            }
        });
        let wire = ContactJson {
            kind: "contact",
            id: &data.id,
            workspace_id: &data.workspace_id,
            external_id: contact.user_id(),
            role: data.details.role,
            email: contact.email(),
            email_domain: contact.email_domain(),
            phone: contact.phone(),
            name: contact.name(),
            avatar: contact.avatar().map(|image_url| Avatar { kind: "avatar", image_url }),
            owner_id,
            social_profiles: SocialProfiles { kind: "list", data: [] },
            has_hard_bounced: false,
            marked_email_as_spam: false,
            unsubscribed_from_emails: contact.is_unsubscribed_from_emails(),
            created_at: contact.created_at(),
            updated_at: contact.updated_at(),
            signed_up_at: contact.signed_up_at(),
            last_seen_at: contact.last_seen_at(),
            location: Location { kind: "location", ..Location::default() },
            custom_attributes: contact.custom_attributes(),
            tags: Empty::of(contact, "tags"),
            notes: Empty::of(contact, "notes"),
            companies: Empty::of(contact, "companies"),
            opted_out_subscription_types: Empty::of(contact, "subscriptions"),
            opted_in_subscription_types: Empty::of(contact, "subscriptions"),
            merge_history: self.form.merge_history.and_then(|of| of(contact)),
            unknown: Unknown::default(),
        };
        wire.serialize(serializer)
    }
}
