//! Uses a share of Intercom's rate limit, and leaves the rest to the application.

use std::sync::Arc;

use intercom_core::{
    Contact, ContactCreation, DataEvent, RateLimit, Receipt, SendError, Transport, async_trait,
};
use intercom_http::HttpTransport;

/// Sends through the transport, and reports a share of its rate limit as the limit.
pub(super) struct Share {
    transport: Arc<HttpTransport>,
    percent: u8,
}

impl Share {
    pub(super) fn new(transport: HttpTransport, percent: u8) -> Self {
        Share { transport: Arc::new(transport), percent }
    }

    /// Subtracts the application's share from a window. The last requests of the window are the
    /// application's.
    fn part(&self, window: RateLimit) -> RateLimit {
        let Some(limit) = window.limit else { return window };
        let part = (u64::from(limit) * u64::from(self.percent)).div_ceil(100);
        let part = u32::try_from(part).unwrap_or(limit).max(1);
        let remaining = window.remaining.map(|remaining| remaining.saturating_sub(limit - part));
        window.with_limit(part).with_remaining(remaining)
    }
}

#[async_trait]
impl Transport for Share {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        match Arc::clone(&self.transport).send(event).await {
            Ok(receipt) => Ok(match receipt.rate_limit() {
                Some(window) => receipt.with_rate_limit(self.part(window)),
                None => receipt,
            }),
            Err(error) => Err(match error.rate_limit() {
                Some(window) => error.with_rate_limit(self.part(window)),
                None => error,
            }),
        }
    }

    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
        self.transport.create_contact(contact).await
    }
}

/// Reads a share of the rate limit: `50%` or `50`.
pub(super) fn parse(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse() {
        Ok(percent @ 1..=100) => Ok(percent),
        _ => Err(format!("`{text}` is not a part of the rate limit; write 1% to 100%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_left_to_others() {
        let transport =
            HttpTransport::builder("tok_1").base_url("http://localhost").build().unwrap();
        let share = Share::new(transport, 25);
        let part = |limit, remaining| {
            let window = RateLimit::new().with_limit(limit).with_remaining(remaining);
            let part = share.part(window);
            (part.limit, part.remaining)
        };
        assert_eq!(part(100, 100), (Some(25), Some(25)));
        assert_eq!(part(100, 80), (Some(25), Some(5)));
        assert_eq!(part(100, 75), (Some(25), Some(0)));
        assert_eq!(part(100, 3), (Some(25), Some(0)));
        assert_eq!(part(1, 1), (Some(1), Some(1)));
        assert_eq!((parse("50%"), parse("7")), (Ok(50), Ok(7)));
        assert!(parse("0%").is_err() && parse("101").is_err() && parse("half").is_err());
    }
}
