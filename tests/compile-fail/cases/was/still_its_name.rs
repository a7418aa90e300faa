use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "plan_changed", was = "Plan_Changed")]
struct PlanChanged;

fn main() {}
