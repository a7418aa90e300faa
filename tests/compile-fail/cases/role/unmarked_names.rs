use std::time::SystemTime;

use intercom_core::{EventMetadata, IntercomEvent};

#[derive(IntercomEvent)]
#[event(name = "project_created", rename_all = "camelCase")]
struct ProjectCreated {
    user_id: u64,
    #[event(truncate)]
    email: String,
    #[event(display)]
    contact_id: String,
    created_at: SystemTime,
}

#[derive(EventMetadata)]
struct Owner {
    user_id: u64,
}

fn main() {}
