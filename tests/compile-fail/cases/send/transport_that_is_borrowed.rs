use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, Receipt, SendError, Transport, async_trait,
};

struct Print;

#[async_trait]
impl Transport for Print {
    async fn send(&self, event: DataEvent) -> Result<Receipt, SendError> {
        println!("{}", event.event_name());
        Ok(Receipt::delivered(200))
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported))
    }
}

fn main() {}
