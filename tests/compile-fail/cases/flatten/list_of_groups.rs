use intercom_core::{EventMetadata, IntercomEvent};

#[derive(EventMetadata)]
struct Seat {
    seat: u64,
}

#[derive(IntercomEvent)]
#[event(name = "project_shared")]
struct ProjectShared {
    #[event(flatten)]
    seats: Vec<Seat>,
}

fn main() {}
