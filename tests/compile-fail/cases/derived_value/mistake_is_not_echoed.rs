use intercom_core::{IntercomEvent, MetadataValue};

#[derive(MetadataValue)]
enum Plan {
    Free,
    Team(u32),
}

#[derive(IntercomEvent)]
#[event(name = "plan_changed")]
struct PlanChanged {
    plan: Plan,
    before: Option<Plan>,
}

fn main() {}
