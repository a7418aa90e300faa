use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
enum Plan {
    #[event(name = "plan_bought")]
    Bought,
    #[event(name = "plan_changed", was = "plan_bought")]
    Changed,
}

fn main() {}
