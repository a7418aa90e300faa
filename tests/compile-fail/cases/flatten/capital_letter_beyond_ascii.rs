use intercom_core::{EventMetadata, IntercomEvent};

#[derive(EventMetadata)]
struct Billing {
    #[event(rename = "ÄPFEL")]
    plan: String,
    seats: u32,
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(rename = "äpfel")]
    apples: u8,
    #[event(flatten)]
    billing: Billing,
}

fn main() {}
