use intercom_core::{EventMetadata, IntercomEvent};

#[derive(EventMetadata)]
struct Billing {
    plan: String,
    seats: u32,
}

#[derive(EventMetadata)]
struct Venue {
    city: String,
    seats: u32,
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(flatten)]
    billing: Billing,
    #[event(flatten)]
    venue: Venue,
}

fn main() {}
