//! A seed contact as JSON: `{"user_id": "42", "email": "ada@example.com", "archived": true}`.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};

use crate::contacts::SeedContact;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a contact: an object with `user_id`, `email` or `id`")]
struct SeedJson {
    id: Option<String>,
    user_id: Option<String>,
    email: Option<String>,
    role: Option<SeedRole>,
    name: Option<String>,
    phone: Option<String>,
    #[serde(default)]
    custom_attributes: Map<String, Value>,
    #[serde(default)]
    archived: bool,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum SeedRole {
    User,
    Lead,
}

/// An object with at least one of `user_id`, `email` and `id`, and none or more of `role` (`user`
/// or `lead`), `name`, `phone`, `custom_attributes` and `archived`.
impl<'de> Deserialize<'de> for SeedContact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = SeedJson::deserialize(deserializer)?;
        for (name, value) in [("user_id", &wire.user_id), ("email", &wire.email), ("id", &wire.id)]
        {
            if value.as_ref().is_some_and(|value| value.trim().is_empty()) {
                return Err(D::Error::custom(format!("the `{name}` of a contact is blank")));
            }
        }
        let mut contact = match (&wire.user_id, &wire.email, &wire.id) {
            (Some(user_id), ..) => Self::user_id(user_id),
            (None, Some(email), _) => Self::email(email),
            (None, None, Some(id)) => Self::contact_id(id),
            (None, None, None) => {
                return Err(D::Error::custom("a contact needs `user_id`, `email` or `id`"));
            }
        };
        if let Some(email) = wire.email {
            contact = contact.with_email(email);
        }
        if let Some(id) = wire.id {
            contact = contact.with_contact_id(id);
        }
        if let Some(name) = wire.name {
            contact = contact.with_name(name);
        }
        if let Some(phone) = wire.phone {
            contact = contact.with_phone(phone);
        }
        for (name, value) in wire.custom_attributes {
            contact = contact.with_custom_attribute(name, value);
        }
        if matches!(wire.role, Some(SeedRole::Lead)) {
            contact = contact.lead();
        }
        if wire.archived {
            contact = contact.archived();
        }
        Ok(contact)
    }
}
