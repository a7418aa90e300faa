//! Errors say what happened and what to do, and show no private data.

use std::error::Error;
use std::time::Duration;

use intercom_core::{ApiError, DynamicEvent, ErrorKind, SendError};

const KINDS: [(ErrorKind, [bool; 3]); 17] = [
    // Retryable, permanent, needs an operator.
    (ErrorKind::InvalidEvent, [false, true, false]),
    (ErrorKind::InvalidContact, [false, true, false]),
    (ErrorKind::Rejected, [false, true, false]),
    (ErrorKind::EventNameLimit, [false, true, false]),
    (ErrorKind::UnknownContact, [false, false, false]),
    (ErrorKind::AmbiguousContact, [false, true, false]),
    (ErrorKind::Unauthorized, [false, false, true]),
    (ErrorKind::Forbidden, [false, false, true]),
    (ErrorKind::RateLimited, [true, false, false]),
    (ErrorKind::Unavailable, [true, false, false]),
    (ErrorKind::Timeout, [true, false, false]),
    (ErrorKind::Connection, [true, false, false]),
    (ErrorKind::UnexpectedAnswer, [false, false, true]),
    (ErrorKind::Unsupported, [false, false, true]),
    (ErrorKind::Full, [true, false, false]),
    (ErrorKind::Storage, [false, false, true]),
    (ErrorKind::Closed, [false, false, true]),
];

#[test]
fn each_kind_is_retryable_permanent_or_for_an_operator() {
    for (kind, answers) in KINDS {
        let error = SendError::new(kind);
        assert_eq!(
            [error.is_retryable(), error.is_permanent(), error.needs_operator()],
            answers,
            "{kind:?}"
        );
        assert_eq!(error.kind(), kind);
    }
}

#[test]
fn the_message_has_all_known_facts() {
    let error = SendError::new(ErrorKind::Rejected)
        .with_status(422)
        .with_api_errors(vec![
            ApiError::new("parameter_invalid").with_field("created_at").with_message("too late"),
            ApiError::new("other"),
        ])
        .with_retry_after(Duration::from_millis(1500))
        .with_request_id("req-1");
    assert_eq!(
        error.to_string(),
        "Intercom refused it (HTTP 422): parameter_invalid in created_at, \"too late\": other; \
         again after 2 s [request req-1]"
    );
    assert_eq!((error.status(), error.request_id()), (Some(422), Some("req-1")));
    assert_eq!(error.retry_after(), Some(Duration::from_millis(1500)));
    assert_eq!(error.api_errors()[0].field.as_deref(), Some("created_at"));
}

#[test]
fn a_storage_error_says_the_fix() {
    for (kind, message) in [
        (
            ErrorKind::Full,
            "there is no room to store another event; \
             send it again when pending events have been delivered, or raise the capacity",
        ),
        (
            ErrorKind::Storage,
            "the event could not be stored: no space left; \
             check the disk, the file or the database in which events are stored",
        ),
        (
            ErrorKind::StoreUnavailable,
            "the store of events cannot be reached now; send it again later",
        ),
        (
            ErrorKind::Closed,
            "the transport has been shut down; \
             send events before the shutdown, or start another",
        ),
    ] {
        let error = SendError::new(kind);
        let error = match kind {
            ErrorKind::Storage => error.with_detail("no space left"),
            _ => error,
        };
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn the_message_does_not_repeat_the_source() {
    let error = SendError::new(ErrorKind::Connection).with_source("broken pipe");
    assert!(!error.to_string().contains("broken pipe"));
    assert_eq!(error.source().unwrap().to_string(), "broken pipe");
    // `Debug`, which a failed `main` prints, shows the sources.
    let behind = SendError::new(ErrorKind::Timeout).with_source("asleep");
    let error = SendError::new(ErrorKind::Connection).with_source(behind);
    assert_eq!(format!("{error:?}"), "the connection failed: no answer came in time: asleep");
    assert!(error.invalid_event().is_none());
}

#[test]
fn an_invalid_event_becomes_an_error_with_its_reason() {
    let invalid = DynamicEvent::new("tested").unwrap().with("a", f64::NAN).unwrap_err();
    let error = SendError::from(invalid.clone());
    assert_eq!(error.kind(), ErrorKind::InvalidEvent);
    assert_eq!(error.invalid_event(), Some(&invalid));
    assert_eq!(error.to_string(), format!("not sent: {invalid}"));
    assert!(error.source().is_none(), "the error's message includes the source's");
}

#[test]
fn errors_travel_between_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<SendError>();
    check::<intercom_core::InvalidEvent>();
    assert_eq!(size_of::<SendError>(), size_of::<usize>());
}
