use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(was = "plan_bought")]
enum Plan {
    #[event(name = "plan_changed")]
    Changed,
}

fn main() {}
