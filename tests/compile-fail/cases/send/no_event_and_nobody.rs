use intercom_core::Tracker;

struct ProjectCreated {
    project_id: u64,
}

fn report(tracker: &Tracker) {
    let _ = tracker.send(&ProjectCreated { project_id: 7 });
}

fn main() {}
