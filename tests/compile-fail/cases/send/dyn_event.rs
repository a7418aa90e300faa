use intercom_core::IntercomEvent;

fn events() -> Vec<Box<dyn IntercomEvent>> {
    Vec::new()
}

fn main() {}
