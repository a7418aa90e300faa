use std::sync::Arc;

use intercom_core::{Contact, ContactCreation, DataEvent, Receipt, SendError, Transport};

struct Print;

impl Transport for Print {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        println!("{}", event.event_name());
        Ok(Receipt::delivered(200))
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Ok(ContactCreation::Created)
    }
}

fn main() {}
