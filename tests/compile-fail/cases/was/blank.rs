use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "plan_changed", was = "")]
struct PlanChanged;

fn main() {}
