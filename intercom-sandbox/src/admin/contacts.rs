//! `/_sandbox/contacts`: the known contacts.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{self, State};
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

/// The requested contacts: the latest `limit` of those with `search` in a detail, ignoring case.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ContactsQuery {
    limit: Option<usize>,
    search: Option<String>,
}

async fn list(
    State(workspace): State<Arc<Workspace>>,
    query: Result<extract::Query<ContactsQuery>, QueryRejection>,
) -> Result<Response, AdminError> {
    let extract::Query(query) = query.map_err(|_| {
        AdminError::bad_request(
            "the query can have `limit`, a whole number, and `search`, a text; nothing else",
        )
    })?;
    let mut contacts = workspace.contacts.all();
    if let Some(text) = query.search.as_deref().map(str::to_lowercase) {
        contacts.retain(|contact| has(contact, &text));
    }
    let total = contacts.len();
    if let Some(limit) = query.limit {
        contacts.drain(..total.saturating_sub(limit));
    }
    let reply = Reply::json(&json!({"contacts": written(&contacts), "total": total}));
    Ok(workspace.answer_budget.response(reply))
}

fn has(contact: &Contact, lower_case: &str) -> bool {
    let details = [contact.user_id(), contact.email(), contact.name(), contact.phone()];
    let mut details = details.into_iter().flatten().chain([contact.contact_id()]);
    details.any(|detail| detail.to_lowercase().contains(lower_case))
}

/// An array of contacts, or an object that has one, as the list answers.
struct SeedInput {
    contacts: Vec<SeedContact>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedContact {
    contacts: Vec<SeedContact>,
    #[serde(default, rename = "total")]
    _total: Option<usize>,
}

impl<'de> Deserialize<'de> for SeedInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = SeedInput;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array of contacts, or an object with `contacts`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<SeedInput, A::Error> {
                let contacts = Vec::deserialize(SeqAccessDeserializer::new(access))?;
                Ok(SeedInput { contacts })
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<SeedInput, A::Error> {
                let ListedContact { contacts, .. } =
                    ListedContact::deserialize(MapAccessDeserializer::new(access))?;
                Ok(SeedInput { contacts })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

async fn seed(
    State(workspace): State<Arc<Workspace>>,
    Input(input): Input<SeedInput>,
) -> Result<Response, AdminError> {
    let now = workspace.clock.now();
    let all = input.contacts.len();
    let mut added = Vec::new();
    for contact in input.contacts {
        match workspace.contacts.add_within_limit(contact, now) {
            Ok(contact) => added.push(contact),
            Err(_) => {
                return Err(AdminError::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    format!(
                        "the sandbox is full: added {} of {all} contacts; raise its options \
                         `max_contacts` or `max_contact_bytes`",
                        added.len()
                    ),
                ));
            }
        }
    }
    let mut reply = Reply::json(&json!({"contacts": written(&added), "total": all}));
    reply.status = StatusCode::CREATED;
    Ok(workspace.answer_budget.response(reply))
}

/// Returns the contacts in the form of seed contacts.
fn written(contacts: &[Contact]) -> Vec<Value> {
    contacts
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
        .collect()
}
