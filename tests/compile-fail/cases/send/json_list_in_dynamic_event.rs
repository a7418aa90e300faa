use intercom_core::DynamicEvent;

fn event() -> Result<DynamicEvent, intercom_core::InvalidEvent> {
    DynamicEvent::new("project_created")?.with("tags", vec!["a", "b"])
}

fn main() {}
