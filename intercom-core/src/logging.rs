//! A transport that only logs.

use std::sync::Arc;

use async_trait::async_trait;

use crate::contact::Contact;
use crate::data_event::{DataEvent, members};
use crate::error::SendError;
use crate::receipt::Receipt;
use crate::transport::{ContactCreation, Transport};

/// Logs each event and sends none: for environments without an access token.
///
/// Logs each event with `tracing` at level `INFO`, with its name, time and keys. Only
/// [`with_values`](Self::with_values) logs contacts and values. The receipt has the status 202, as
/// Intercom's has. So a delivery through this transport counts the event as delivered.
///
/// ```
/// use intercom_core::{LoggingTransport, Tracker, Transport};
///
/// /// `http` is the `HttpTransport` of the access token, where the environment has one.
/// fn tracker(http: Option<impl Transport + 'static>) -> Tracker {
///     match http {
///         Some(http) => Tracker::new(http),
///         None => Tracker::new(LoggingTransport::new()),
///     }
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct LoggingTransport {
    values: bool,
}

impl LoggingTransport {
    /// Creates a transport that logs the name, the time and the keys of each event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also logs the whole body, with contact and values: for a developer's own machine. Sensitive
    /// values stay masked. The default is not to log the body.
    #[must_use]
    pub fn with_values(mut self) -> Self {
        self.values = true;
        self
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl Transport for LoggingTransport {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        if tracing::enabled!(tracing::Level::INFO) {
            let keys = event.metadata().and_then(|metadata| members(metadata).ok());
            let keys: Vec<_> = keys.iter().flat_map(|members| members.keys()).collect();
            let body = self.values.then(|| match event.sensitive_keys().next() {
                None => String::from_utf8_lossy(event.body()),
                Some(_) => event.to_masked_json().to_string().into(),
            });
            tracing::info!(
                event.name = event.event_name().as_str(),
                event.created_at = event.created_at().unix_seconds(),
                event.keys = ?keys,
                event.body = body.as_deref(),
                "event logged, and not sent"
            );
        }
        Ok(Receipt::delivered(202))
    }

    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
        tracing::info!(?contact, "contact logged, and not created");
        Ok(ContactCreation::Created)
    }
}
