use intercom_core::IntercomEvent;

struct Billing {
    plan: String,
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(flatten)]
    billing: Billing,
}

fn main() {}
