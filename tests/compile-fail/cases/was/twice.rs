use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "plan_changed", was = "plan_bought", was = "plan_sold")]
struct PlanChanged;

fn main() {}
