use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[event(name = "plan_changed", was = "plan_bought")]
struct PlanChanged;

#[derive(IntercomEvent)]
#[event(name = "plan_bought")]
struct PlanBought;

catalogue! { static ACME: PlanChanged, PlanBought }

fn main() {}
