//! Times in the forms that people write.

use intercom_core::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The minimum of digits of Unix seconds. Fewer digits could be a year, or a day without hyphens.
pub(crate) const MIN_DIGITS: usize = 9;

/// Reads a time: a day (its midnight in UTC), a date and time with an offset, or Unix seconds.
///
/// # Errors
///
/// Fails, with a sentence, when the text is none of these, or could mean several times.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        if digits.len() < MIN_DIGITS {
            return Err(format!(
                "a number of fewer than {MIN_DIGITS} digits is not Unix seconds; {FORMS}"
            ));
        }
        let seconds = text.parse().map_err(|_| format!("the number is too large; {FORMS}"))?;
        return Ok(Timestamp::from_unix_seconds(seconds));
    }
    if text.len() == "2026-12-01".len()
        && let Ok(day) = text.parse::<Date>()
    {
        let midnight = day.to_zoned(TimeZone::UTC).map_err(|_| FORMS.to_owned())?;
        return Ok(Timestamp::from_unix_seconds(midnight.timestamp().as_second()));
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        // Rounds towards the past, so that no event is later than its own time.
        let seconds = time.as_second() - i64::from(time.subsec_nanosecond() < 0);
        return Ok(Timestamp::from_unix_seconds(seconds));
    }
    match text.parse::<jiff::civil::DateTime>() {
        Ok(_) => Err("the time has no offset; add one, such as `Z` or `+02:00`".to_owned()),
        Err(_) => Err(format!("not a time; {FORMS}")),
    }
}

/// The forms of a time, for errors.
const FORMS: &str = "write 2026-12-01, 2026-12-01T09:30:00Z, or Unix seconds such as 1796117400";

/// Returns a time as text, in UTC.
pub(crate) fn text(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<i64> {
        parse(text).ok().map(Timestamp::unix_seconds)
    }

    #[test]
    fn days_times_and_seconds_are_read() {
        assert_eq!(seconds("1970-01-02"), Some(86_400));
        assert_eq!(seconds("2026-12-01T09:30:00+02:00"), seconds("2026-12-01T07:30:00Z"));
        assert_eq!(seconds("2026-12-01T07:30:00.999Z"), seconds("2026-12-01T07:30:00Z"));
        assert_eq!(seconds("1969-12-31T23:59:59.5Z"), Some(-1));
        assert_eq!(seconds("1796117400"), Some(1_796_117_400));
    }

    #[test]
    fn an_ambiguous_time_is_refused() {
        for text in ["2026", "20261201", "01/12/2026", "2026-12-01T09:30", "tomorrow", "", "-"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
