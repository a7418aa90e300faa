//! Notifies the deliverer of accepted events.
//!
//! The accepting transaction sends no `NOTIFY`, which would lock the whole cluster until its commit
//! is on the disk, and so end group commit. With 64 clients, only a quarter of the commits a second
//! remained.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_postgres::types::Type;

use crate::link::Link;
use crate::schema::Schema;

/// The shortest time between two notifications.
const REST: Duration = Duration::from_millis(10);

/// Notifies the deliverer that there may be new events.
#[derive(Clone)]
pub(crate) struct Notifier {
    /// Wakes this process's own calls of `lease`.
    pub(crate) news: Arc<Notify>,
    /// Requests a notification.
    pub(crate) accepted: Arc<Notify>,
    /// Whether this process delivers.
    pub(crate) delivers: Arc<AtomicBool>,
}

impl Notifier {
    pub(crate) fn notify(&self) {
        match self.delivers.load(Ordering::Relaxed) {
            true => self.news.notify_waiters(),
            false => self.accepted.notify_one(),
        }
    }

    /// Sends notifications, for ever.
    pub(crate) async fn run(self, link: Arc<Link>, schema: Schema) {
        let channel = schema.events_channel();
        loop {
            self.accepted.notified().await;
            // After a failure the deliverer finds the events by polling.
            let _ = link.query("SELECT pg_notify($1, '')", &[(&channel, Type::TEXT)]).await;
            sleep(REST).await;
        }
    }
}
