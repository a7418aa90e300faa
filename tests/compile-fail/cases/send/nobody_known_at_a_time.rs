use intercom_core::{IntercomEvent, Timestamp, Tracker};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    project_id: u64,
}

fn report(tracker: &Tracker) {
    let _ = tracker.send_at(&ProjectCreated { project_id: 7 }, Timestamp::now());
}

fn main() {}
