use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "plan_changed", was = plan_bought)]
struct PlanChanged;

fn main() {}
