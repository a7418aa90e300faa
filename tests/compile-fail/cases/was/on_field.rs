use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "plan_changed")]
struct PlanChanged {
    #[event(was = "tier")]
    plan: String,
}

fn main() {}
