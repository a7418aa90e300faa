use intercom_core::IntercomEvent;
use serde::Serialize;

#[derive(IntercomEvent, Serialize)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
}

fn main() {}
