//! The fields that Intercom searches contacts by.

use super::attribute::Attribute;
use crate::contacts::contact::Contact;

/// The kind of a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// `user` or `lead`.
    Role,
    /// An admin's id: a string, or an integer in older versions of the API.
    Owner,
    /// Unix seconds.
    Date,
    Flag,
    /// The id of a tag.
    Tag,
    /// A custom attribute of any kind.
    Custom,
}

/// A field to search and sort by.
#[derive(Debug, Clone)]
pub(crate) enum Field {
    Standard(&'static Standard),
    /// A custom attribute. Intercom knows which exist. The sandbox takes any name, and a contact
    /// without the attribute has no value in it.
    Custom(String),
}

#[derive(Debug)]
pub(crate) struct Standard {
    name: &'static str,
    kind: Kind,
    read: for<'a> fn(&'a Contact) -> Attribute<'a>,
}

const CUSTOM: &str = "custom_attributes.";

impl Field {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.strip_prefix(CUSTOM) {
            Some("") => None,
            Some(attribute) => Some(Self::Custom(attribute.to_owned())),
            None => STANDARD.iter().find(|field| field.name == name).map(Self::Standard),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Standard(field) => field.kind,
            Self::Custom(_) => Kind::Custom,
        }
    }

    pub(crate) fn read<'a>(&self, contact: &'a Contact) -> Attribute<'a> {
        match self {
            Self::Standard(field) => (field.read)(contact),
            Self::Custom(name) => contact
                .custom_attributes()
                .get(name)
                .map_or(Attribute::Absent, Attribute::from_json),
        }
    }
}

const fn field(
    name: &'static str,
    kind: Kind,
    read: for<'a> fn(&'a Contact) -> Attribute<'a>,
) -> Standard {
    Standard { name, kind, read }
}

/// Creates a field whose values the sandbox never learns.
const fn unknown(name: &'static str, kind: Kind) -> Standard {
    field(name, kind, |_| Attribute::Absent)
}

/// Intercom's list, including its spelling `andoid_sdk_version` and the right one.
static STANDARD: [Standard; 44] = [
    field("id", Kind::Text, |contact| Attribute::Text(contact.contact_id())),
    field("role", Kind::Role, |contact| Attribute::Text(contact.data().details.role.name())),
    field("name", Kind::Text, |contact| Attribute::text(contact.name())),
    field("avatar", Kind::Text, |contact| Attribute::text(contact.avatar())),
    field("owner_id", Kind::Owner, |contact| Attribute::text(contact.owner_id())),
    field("email", Kind::Text, |contact| Attribute::text(contact.email())),
    field("email_domain", Kind::Text, |contact| Attribute::text(contact.email_domain())),
    field("phone", Kind::Text, |contact| Attribute::text(contact.phone())),
    field("formatted_phone", Kind::Text, |contact| Attribute::text(contact.phone())),
    field("external_id", Kind::Text, |contact| Attribute::text(contact.user_id())),
    field("created_at", Kind::Date, |contact| Attribute::Number(contact.created_at() as f64)),
    field("updated_at", Kind::Date, |contact| Attribute::Number(contact.updated_at() as f64)),
    field("signed_up_at", Kind::Date, |contact| Attribute::seconds(contact.signed_up_at())),
    field("last_seen_at", Kind::Date, |contact| Attribute::seconds(contact.last_seen_at())),
    field("unsubscribed_from_emails", Kind::Flag, |contact| {
        Attribute::Flag(contact.is_unsubscribed_from_emails())
    }),
    field("marked_email_as_spam", Kind::Flag, |_| Attribute::Flag(false)),
    field("has_hard_bounced", Kind::Flag, |_| Attribute::Flag(false)),
    unknown("last_contacted_at", Kind::Date),
    unknown("last_replied_at", Kind::Date),
    unknown("last_email_opened_at", Kind::Date),
    unknown("last_email_clicked_at", Kind::Date),
    unknown("language_override", Kind::Text),
    unknown("browser", Kind::Text),
    unknown("browser_language", Kind::Text),
    unknown("os", Kind::Text),
    unknown("location.country", Kind::Text),
    unknown("location.region", Kind::Text),
    unknown("location.city", Kind::Text),
    unknown("ios_last_seen_at", Kind::Date),
    unknown("ios_app_version", Kind::Text),
    unknown("ios_device", Kind::Text),
    unknown("ios_app_device", Kind::Text),
    unknown("ios_os_version", Kind::Text),
    unknown("ios_app_name", Kind::Text),
    unknown("ios_sdk_version", Kind::Text),
    unknown("android_last_seen_at", Kind::Date),
    unknown("android_app_version", Kind::Text),
    unknown("android_device", Kind::Text),
    unknown("android_app_name", Kind::Text),
    unknown("andoid_sdk_version", Kind::Text),
    unknown("android_sdk_version", Kind::Text),
    unknown("android_os_version", Kind::Text),
    unknown("segment_id", Kind::Text),
    unknown("tag_id", Kind::Tag),
];
