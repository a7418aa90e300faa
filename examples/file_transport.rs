//! Another destination than Intercom: a file with one event a line, as warehouses load them (NDJSON). A destination is a
//! `Transport`, which has two methods. Retries, pacing, durability and the ledger come from the delivery all the same.
//!
//! ```sh
//! cargo run --example file_transport
//! cargo test -p examples --example file_transport
//! ```

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::{
    Contact, ContactCreation, DataEvent, DynamicEvent, ErrorKind, Receipt, SendError, Transport,
    async_trait,
};
use intercom_delivery::Delivery;
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Mutex;

/// Appends each event to a file.
struct FileTransport {
    /// The lock lets one task write at a time.
    path: Mutex<PathBuf>,
}

impl FileTransport {
    fn new(path: impl Into<PathBuf>) -> Self {
        FileTransport { path: Mutex::new(path.into()) }
    }

    /// Returns when the line is on the disk.
    async fn append(&self, event: &DataEvent) -> io::Result<()> {
        // The body is JSON without line breaks. One write, so that no other process's line comes in between.
        let line = [event.body(), b"\n".as_slice()].concat();
        let path = self.path.lock().await;
        let mut file = OpenOptions::new().append(true).create(true).open(&*path).await?;
        file.write_all(&line).await?;
        file.sync_data().await
    }
}

#[async_trait]
impl Transport for FileTransport {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        match self.append(&event).await {
            Ok(()) => Ok(Receipt::accepted()),
            // Somebody must look after the disk. A delivery keeps its events until then.
            Err(error) => Err(SendError::new(ErrorKind::Storage).with_source(error)),
        }
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported).with_detail("a file knows no contacts"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("events.ndjson");
    let delivery = Delivery::builder(FileTransport::new(&path)).start()?;
    for project_id in 1..=3 {
        let event = DynamicEvent::new("project_created")?.with("project_id", project_id)?;
        delivery.for_contact(Contact::email("ada@example.com")).send(&event).await?;
    }
    println!("{}", delivery.shutdown(Duration::from_secs(10)).await);
    print!("{}", std::fs::read_to_string(path)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use intercom_delivery::State;
    use serde_json::Value;

    use super::*;

    async fn send(delivery: &Delivery, project_id: u64) {
        let event = DynamicEvent::new("project_created").unwrap().with("project_id", project_id);
        delivery.for_contact(Contact::user_id(42)).send(&event.unwrap()).await.unwrap();
    }

    /// The ids of the projects in the file. Each line must be one whole event.
    fn ids(path: &Path) -> Vec<u64> {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut ids: Vec<_> =
            lines.map(|event| event["metadata"]["project_id"].as_u64().unwrap()).collect();
        ids.sort_unstable();
        ids
    }

    #[tokio::test]
    async fn every_event_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.ndjson");
        let delivery = Delivery::builder(FileTransport::new(&path)).start().unwrap();
        for project_id in 0..100 {
            send(&delivery, project_id).await;
        }
        let report = delivery.shutdown(Duration::from_secs(60)).await;
        assert!(report.is_complete(), "{report}");
        assert_eq!(ids(&path), Vec::from_iter(0..100));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_stops_the_delivery_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("later");
        let path = missing.join("events.ndjson");
        let delivery = Delivery::builder(FileTransport::new(&path)).start().unwrap();
        for project_id in 0..100 {
            send(&delivery, project_id).await;
        }
        let trouble = loop {
            match delivery.status().state {
                State::Stopped(trouble) => break trouble,
                _ => tokio::task::yield_now().await,
            }
        };
        assert!(trouble.message.contains("No such file"), "{trouble}");
        assert_eq!(delivery.ledger().await.unwrap().pending, 100);

        std::fs::create_dir(&missing).unwrap();
        delivery.resume();
        let report = delivery.flush(Duration::from_secs(60)).await;
        assert!(report.is_complete(), "{report}");
        assert_eq!(ids(&path), Vec::from_iter(0..100));
    }
}
