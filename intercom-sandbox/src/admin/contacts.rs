//! `/_sandbox/contacts`: who is known.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};

use super::error::AdminError;
use super::input::Input;
use crate::contacts::{Contact, SeedContact};
use crate::reply::Reply;
use crate::workspace::Workspace;

pub(super) fn routes() -> Router<Arc<Workspace>> {
    Router::new().route("/contacts", get(list).post(seed))
}

async fn list(State(workspace): State<Arc<Workspace>>) -> Response {
    workspace.answer_budget.response(written(&workspace.contacts.all()))
}

/// An array of contacts, or an object that has one, as they are listed.
struct Wanted {
    contacts: Vec<SeedContact>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    contacts: Vec<SeedContact>,
}

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Wanted;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array of contacts, or an object with `contacts`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<Wanted, A::Error> {
                let contacts = Vec::deserialize(SeqAccessDeserializer::new(access))?;
                Ok(Wanted { contacts })
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Wanted, A::Error> {
                let Listed { contacts } = Listed::deserialize(MapAccessDeserializer::new(access))?;
                Ok(Wanted { contacts })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

async fn seed(
    State(workspace): State<Arc<Workspace>>,
    Input(wanted): Input<Wanted>,
) -> Result<Response, AdminError> {
    let now = workspace.clock.now();
    let all = wanted.contacts.len();
    let mut added = Vec::new();
    for contact in wanted.contacts {
        match workspace.contacts.add_within_limit(contact, now) {
            Ok(contact) => added.push(contact),
            Err(_) => {
                return Err(AdminError::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    format!(
                        "there is no room for more contacts: {} of {all} added, and the \
                         options `max_contacts` and `max_contact_bytes` allow more",
                        added.len()
                    ),
                ));
            }
        }
    }
    let mut reply = written(&added);
    reply.status = StatusCode::CREATED;
    Ok(workspace.answer_budget.response(reply))
}

/// In the form in which contacts are seeded.
fn written(contacts: &[Contact]) -> Reply {
    let contacts: Vec<Value> = contacts
        .iter()
        .map(|contact| {
            json!({
                "id": contact.contact_id(),
                "user_id": contact.user_id(),
                "email": contact.email(),
                "role": if contact.is_lead() { "lead" } else { "user" },
                "name": contact.name(),
                "phone": contact.phone(),
                "custom_attributes": contact.custom_attributes(),
                "archived": contact.is_archived(),
            })
        })
        .collect();
    Reply::json(&json!({"contacts": contacts}))
}
