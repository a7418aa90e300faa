//! Reads the headers about waiting: the rate limit, and the time until a retry.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{DATE, HeaderName, RETRY_AFTER};
use intercom_core::{ErrorKind, RateLimit};

/// The longest wait of `SendError::retry_after`: one hour. The transport shortens a longer wait to
/// this.
///
/// Intercom's windows last 10 seconds, and it does not document `Retry-After`. A proxy or a wrong
/// clock may ask for years, which must not stop the events for years.
pub const MAX_WAIT: Duration = Duration::from_secs(60 * 60);

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Returns the rate limit in the `X-RateLimit` headers, if a header is readable.
pub(crate) fn rate_limit(headers: &HeaderMap, received: SystemTime) -> Option<RateLimit> {
    let number = |name| text(headers, name).and_then(digits);
    let count = |name| number(name).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let (limit, remaining, reset) = (count(&LIMIT), count(&REMAINING), number(&RESET));
    if limit.is_none() && remaining.is_none() && reset.is_none() {
        return None;
    }
    let resets_in = reset.map(|reset| until(Duration::from_secs(reset), headers, received));
    let window = RateLimit::new().with_limit(limit).with_remaining(remaining);
    Some(window.with_resets_in(resets_in))
}

/// Returns how long to wait before a retry, when a retry may help.
///
/// `Retry-After` comes first. The end of the rate limit's window counts only when the window is the
/// obstacle: at a 429, or when its budget is spent. An end beyond any window is ignored.
pub(crate) fn retry_after(
    kind: ErrorKind,
    headers: &HeaderMap,
    rate_limit: Option<RateLimit>,
    received: SystemTime,
) -> Option<Duration> {
    use ErrorKind::{RateLimited, Unavailable};
    if !matches!(kind, RateLimited | Unavailable) {
        return None;
    }
    let asked = text(headers, &RETRY_AFTER).and_then(|text| match digits(text) {
        Some(seconds) => Some(Duration::from_secs(seconds).min(MAX_WAIT)),
        None => Some(until(since_epoch(httpdate::parse_http_date(text).ok()?), headers, received)),
    });
    asked.or_else(|| {
        let rate_limit = rate_limit?;
        let spent = kind == RateLimited || rate_limit.remaining == Some(0);
        rate_limit.resets_in.filter(|wait| spent && *wait <= RateLimit::MAX_RESET)
    })
}

/// Returns the wait until a time, given as a duration since the Unix epoch. A past time gives zero.
///
/// The time comes from the server's clock. The response's own `Date` is the reference, because this
/// machine's clock may be wrong.
fn until(time: Duration, headers: &HeaderMap, received: SystemTime) -> Duration {
    let date = text(headers, &DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    time.saturating_sub(since_epoch(date.unwrap_or(received))).min(MAX_WAIT)
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

/// Parses a whole number, and saturates.
fn digits(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2023-11-14 22:13:20 UTC.
    const NOW: u64 = 1_700_000_000;
    const DATE_OF_NOW: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

    type Line = (&'static str, &'static str);

    fn headers(lines: &[Line]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn wait(kind: ErrorKind, clock: u64, lines: &[Line]) -> Option<Duration> {
        let headers = headers(lines);
        retry_after(kind, &headers, rate_limit(&headers, at(clock)), at(clock))
    }

    #[test]
    fn every_form_of_waiting_is_read() {
        let cases: &[(&[Line], Option<u64>)] = &[
            (&[("retry-after", "7")], Some(7)),
            (&[("retry-after", " 0 ")], Some(0)),
            (&[("retry-after", "Tue, 14 Nov 2023 22:13:29 GMT")], Some(9)),
            (&[("retry-after", "Tuesday, 14-Nov-23 22:13:29 GMT")], Some(9)),
            (&[("retry-after", "Tue Nov 14 22:13:29 2023")], Some(9)),
            (&[("retry-after", "Tue, 14 Nov 2023 22:13:10 GMT")], Some(0)),
            (&[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")], Some(0)),
            (&[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")], Some(3600)),
            (&[("retry-after", "3601")], Some(3600)),
            (&[("retry-after", "99999999999999999999999999")], Some(3600)),
            (&[("retry-after", "-3")], None),
            (&[("retry-after", "1.5")], None),
            (&[("retry-after", "")], None),
            (&[("retry-after", "soon")], None),
            (&[("x-ratelimit-reset", "1700000008")], Some(8)),
            (&[("x-ratelimit-reset", "1699999990")], Some(0)),
            (&[("x-ratelimit-reset", "1700000011")], Some(11)),
            // Beyond any window of 10 seconds: 300 s off, and milliseconds.
            (&[("x-ratelimit-reset", "1700000308")], None),
            (&[("x-ratelimit-reset", "1700000008000")], None),
            (&[("retry-after", "3"), ("x-ratelimit-reset", "1700000008")], Some(3)),
            (&[("retry-after", "soon"), ("x-ratelimit-reset", "1700000008")], Some(8)),
            (&[], None),
        ];
        for (lines, expected) in cases {
            let got = wait(ErrorKind::RateLimited, NOW, lines);
            assert_eq!(got, expected.map(Duration::from_secs), "{lines:?}");
        }
    }

    #[test]
    fn a_wrong_clock_does_no_harm_when_the_answer_has_a_date() {
        for clock in [0, NOW - 86_400, NOW + 86_400] {
            let reset = wait(
                ErrorKind::RateLimited,
                clock,
                &[("date", DATE_OF_NOW), ("x-ratelimit-reset", "1700000008")],
            );
            let date = wait(
                ErrorKind::Unavailable,
                clock,
                &[("date", DATE_OF_NOW), ("retry-after", "Tue, 14 Nov 2023 22:13:28 GMT")],
            );
            assert_eq!((reset, date), (Some(Duration::from_secs(8)), Some(Duration::from_secs(8))));
        }
    }

    #[test]
    fn the_window_counts_only_where_it_is_in_the_way() {
        let reset = ("x-ratelimit-reset", "1700000008");
        let eight = Some(Duration::from_secs(8));
        assert_eq!(wait(ErrorKind::Unavailable, NOW, &[reset]), None);
        assert_eq!(
            wait(ErrorKind::Unavailable, NOW, &[reset, ("x-ratelimit-remaining", "0")]),
            eight
        );
        assert_eq!(
            wait(ErrorKind::RateLimited, NOW, &[reset, ("x-ratelimit-remaining", "50")]),
            eight
        );
        assert_eq!(wait(ErrorKind::Rejected, NOW, &[reset, ("retry-after", "5")]), None);
    }

    #[test]
    fn the_rate_limit_is_read_as_far_as_it_can_be() {
        let read = |lines: &[Line]| rate_limit(&headers(lines), at(NOW));
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("x-ratelimit-limit", "many")]), None);
        assert_eq!(
            read(&[("x-ratelimit-limit", "99999999999"), ("x-ratelimit-remaining", "-1")]),
            Some(RateLimit::new().with_limit(u32::MAX))
        );
        assert_eq!(
            read(&[
                ("x-ratelimit-limit", "167"),
                ("x-ratelimit-remaining", "166"),
                ("x-ratelimit-reset", "1700000010")
            ]),
            Some(
                RateLimit::new()
                    .with_limit(167)
                    .with_remaining(166)
                    .with_resets_in(Duration::from_secs(10))
            )
        );
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic_or_wait_for_ever(
            retry in "[ -~]{0,40}|[0-9]{1,30}",
            reset in "[ -~]{0,40}|[0-9]{1,30}",
            date in "[ -~]{0,40}|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT",
            clock in 0..u64::from(u32::MAX),
        ) {
            let lines = [("retry-after", &*retry), ("x-ratelimit-reset", &*reset), ("date", &*date)];
            let headers: HeaderMap = lines
                .iter()
                .filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
                .collect();
            let limit = rate_limit(&headers, at(clock));
            let wait = retry_after(ErrorKind::RateLimited, &headers, limit, at(clock));
            prop_assert!(wait.is_none_or(|wait| wait <= MAX_WAIT));
        }
    }
}
