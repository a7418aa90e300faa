use intercom_core::{Contact, IntercomEvent, Tracker};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated;

fn report(tracker: &Tracker) {
    let ada = tracker.for_contact(Contact::user_id(42));
    let _ = ada.send_at(&ProjectCreated, 1_700_000_000);
}

fn main() {}
