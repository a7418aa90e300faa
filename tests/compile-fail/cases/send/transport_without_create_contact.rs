use std::sync::Arc;

use intercom_core::{DataEvent, Receipt, SendError, Transport, async_trait};

struct Print;

#[async_trait]
impl Transport for Print {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        println!("{}", event.event_name());
        Ok(Receipt::delivered(200))
    }
}

fn main() {}
