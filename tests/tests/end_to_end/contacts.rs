//! Contacts: created, found again, and refused with the reason.

use intercom_core::{Contact, ContactCreation, DynamicEvent, Tracker, Transport};
use intercom_sandbox::{Sandbox, SeedContact};

#[tokio::test]
async fn a_contact_is_created_once_and_then_takes_events() {
    let (sandbox, transport) = crate::start(Sandbox::builder()).await;
    let ada = Contact::user_id("ada").with_email("ada@example.com");
    assert_eq!(transport.create_contact(&ada).await.unwrap(), ContactCreation::Created);
    assert_eq!(transport.create_contact(&ada).await.unwrap(), ContactCreation::Existed);

    let event = DynamicEvent::new("project_created").unwrap();
    let tracker = Tracker::new(transport);
    for contact in [ada, Contact::user_id("ada"), Contact::email("ada@example.com")] {
        tracker.for_contact(contact).send(&event).await.unwrap();
    }
    assert_eq!(sandbox.event_count(), 3);
}

#[tokio::test]
async fn creating_an_archived_contact_reports_it() {
    let archived = SeedContact::email("ada@example.com").archived();
    let (_sandbox, transport) = crate::start(Sandbox::builder().contact(archived)).await;
    let creation = transport.create_contact(&Contact::email("ada@example.com")).await.unwrap();
    assert_eq!(creation, ContactCreation::Archived);
}

#[tokio::test]
async fn a_lead_is_named_by_intercoms_own_id() {
    let lead = SeedContact::contact_id("5f1c").lead();
    let (sandbox, transport) = crate::start(Sandbox::builder().contact(lead)).await;
    let event = DynamicEvent::new("signed_up").unwrap();
    Tracker::new(transport).for_contact(Contact::contact_id("5f1c")).send(&event).await.unwrap();
    assert_eq!(sandbox.events()[0].contact_id(), Some("5f1c"));
}

#[tokio::test]
async fn the_credentials_can_be_verified() {
    let (_sandbox, transport) = crate::start(Sandbox::builder()).await;
    let workspace = transport.verify().await.unwrap();
    assert!(workspace.id.is_some());
}
