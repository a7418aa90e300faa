use intercom_core::EventMetadata;
use serde::Serialize;

#[derive(EventMetadata, Serialize)]
struct Account {
    plan: String,
    #[serde(skip)]
    password: String,
}

fn main() {}
