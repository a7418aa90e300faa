use intercom_core::testing::{FailingTransport, RecordingTransport};
use intercom_core::{Contact, DynamicEvent, ErrorKind};
use intercom_delivery::Delivery;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn smoke() {
    let sent = RecordingTransport::new();
    let failing = FailingTransport::new(sent.clone())
        .fail(ErrorKind::RateLimited)
        .fail(ErrorKind::Unavailable)
        .fail(ErrorKind::Unauthorized)
        .fail(ErrorKind::Rejected);
    let delivery = Delivery::builder(failing).start().unwrap();
    let tracker = delivery.tracker();
    for i in 0..1000 {
        tracker
            .for_contact(Contact::user_id(i % 10))
            .send(&DynamicEvent::new("a_b").unwrap())
            .await
            .unwrap();
    }
    let report = delivery.flush().await;
    println!("{report} {:?}", delivery.ledger());
    println!("{:?}", delivery.status());
    let report = delivery.shutdown(Duration::from_secs(30)).await;
    println!("{report}");
    assert_eq!(sent.events().len(), 999);
}
