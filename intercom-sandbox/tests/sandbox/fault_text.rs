//! The text form of a fault.

use std::time::Duration;

use intercom_sandbox::{Answer, Fault};

#[test]
fn every_effect_and_clause_is_read_and_written() {
    for text in [
        "503",
        "200",
        "599",
        "html 502",
        "hang",
        "hang up",
        "reset",
        "delay 2s",
        "truncate",
        "without rate-limit headers",
        "without request id",
        "without content type",
        "skew +30s",
        "skew -5m",
        "outage",
        "unreachable",
        "revoke token",
        "rate limit 5",
        "rate limit 5 for 30s",
        "503 for 20%",
        "503 for 0.5%",
        "503 for next 3",
        "503 for 30s",
        "503 after acceptance for 20% for next 50 for 1500ms on contacts",
        "503 on everything",
        "503 on event plan changed",
        "outage on events",
    ] {
        let fault: Fault = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(fault.to_string(), text);
    }
}

#[test]
fn optional_words_of_a_fault_may_be_left_out() {
    for (text, canonical) in [
        ("503 for the next 3 requests", "503 for next 3"),
        ("503 20% of the next 3", "503 for 20% for next 3"),
        ("503 for 20% of requests for 30s", "503 for 20% for 30s"),
        ("  503   on contacts and for 1.5s ", "503 for 1500ms on contacts"),
        ("503 for 30s after acceptance", "503 after acceptance for 30s"),
        ("503 for 120s", "503 for 2m"),
        ("503 on events", "503"),
        ("outage on everything", "outage"),
        ("503 on event Plan.Changed", "503 on event plan-changed"),
    ] {
        let fault: Fault = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(fault.to_string(), canonical);
    }
}

#[test]
fn a_built_fault_prints_the_text_that_parses_to_it() {
    let fault = Fault::answer(Answer::error(429, "a", "b")).percent(12.5).next(7).on_contacts();
    assert_eq!(fault.to_string(), "429 for 12.5% for next 7 on contacts");
    let fault = Fault::delay(Duration::from_millis(90_000)).after_acceptance();
    assert_eq!(fault.to_string(), "delay 90s after acceptance");
}

#[test]
fn a_mistake_is_reported_with_the_right_form() {
    for (text, message) in [
        ("", "expected a status such as `503`"),
        ("5o3", "expected a status such as `503`"),
        ("100", "`100` is not a status from 200 to 599"),
        ("99999", "`99999` is not a status from 200 to 599"),
        ("600", "`600` is not a status from 200 to 599"),
        ("html 999", "`999` is not a status from 200 to 599"),
        ("status 503", "write a status without the word, as in `503`"),
        ("html", "expected a status"),
        ("html ok", "`ok` is not a status"),
        ("delay soon", "`soon` is not a duration: a duration is a number with `ms`"),
        ("delay 2", "`2` is not a duration"),
        ("delay -2s", "`-2s` is not a duration"),
        ("delay 1e3s", "`1e3s` is not a duration"),
        ("delay 99999999999999999999999h", "is not a duration"),
        ("skew 30s", "a skew is ahead, `+30s`, or behind"),
        ("skew +30ms", "`+30ms` is not a skew of whole seconds"),
        ("rate limit many", "`many` is not a number"),
        ("rate limit 5 for 20%", "a rate limit is for all requests"),
        ("rate limit 5 on contacts", "a rate limit is for all requests"),
        ("503 for 120%", "a percentage is between `0%` and `100%`"),
        ("503 for x%", "a percentage is between `0%` and `100%`"),
        ("503 for next few", "`few` is not a number"),
        ("503 for next 0", "expected 1 or more after `next`"),
        ("503 sometimes", "`sometimes` is not a clause: expected `for 20%`"),
        ("503 on mars", "expected `for 20%`"),
        ("503 on event", "expected `for 20%`"),
        ("503 for 20% for 30%", "a clause is there twice"),
        ("503 for next 3 next 4", "a clause is there twice"),
        ("503 for 3s for 4s", "a clause is there twice"),
        ("503 on events on contacts", "a clause is there twice"),
        ("hang after acceptance after acceptance", "a clause is there twice"),
    ] {
        let error = text.parse::<Fault>().expect_err(text).to_string();
        assert!(error.starts_with(&format!("`{text}` is not a fault: ")), "{error}");
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
#[should_panic(expected = "101% is not between 0% and 100%")]
fn an_invalid_percentage_panics() {
    let _ = Fault::answer(503).percent(101.0);
}

#[test]
fn a_status_that_is_not_final_panics() {
    for build in [Answer::status, Answer::from, Answer::html, |code| Answer::error(code, "a", "b")]
    {
        for code in [100, 199, 600, 999] {
            assert!(std::panic::catch_unwind(|| build(code)).is_err(), "{code}");
        }
        build(200);
        build(599);
    }
}
