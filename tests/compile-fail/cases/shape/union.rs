use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
union Number {
    whole: u64,
    fraction: f64,
}

fn main() {}
