//! How a file writes numbers and dates. Each value excludes some readings. The import refuses a
//! file with two possible readings.

use std::fmt;

use clap::ValueEnum;
use intercom_core::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::time::MIN_DIGITS;

/// The character before the fraction of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Decimal {
    /// 1,234.50
    Point,
    /// 1.234,50
    Comma,
}

/// The first part of a date such as 03/04/2026.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DateOrder {
    /// The day
    Dmy,
    /// The month
    Mdy,
}

impl Decimal {
    /// Reads a number, and returns it as JSON writes it, without grouping: `-1234.50`. `None` for
    /// other text.
    pub(super) fn number(self, text: &str) -> Option<String> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text),
        };
        let (group, point) = match self {
            Decimal::Point => (',', '.'),
            Decimal::Comma => ('.', ','),
        };
        let (whole, fraction) = match digits.split_once(point) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if fraction.is_some_and(|fraction| !is_digits(fraction)) {
            return None;
        }
        let whole = match whole.contains(group) {
            false => is_digits(whole).then(|| whole.to_owned())?,
            true => {
                let mut groups = whole.split(group);
                let first = groups.next().filter(|first| is_digits(first) && first.len() <= 3)?;
                let mut joined = first.to_owned();
                for group in groups {
                    joined += Some(group).filter(|group| is_digits(group) && group.len() == 3)?;
                }
                joined
            }
        };
        Some(match fraction {
            Some(fraction) => format!("{sign}{whole}.{fraction}"),
            None => format!("{sign}{whole}"),
        })
    }
}

/// The readings of times without an offset and of numeric dates.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    pub(super) order: Option<DateOrder>,
    pub(super) zone: Option<TimeZone>,
}

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeError {
    Unreadable,
    /// It has no offset, and neither the command line nor the mapping names a time zone.
    NoZone,
    /// It is a number with fewer than [`MIN_DIGITS`] digits.
    TooFewDigits,
    /// Its year has two digits.
    ShortYear,
    /// The file does not say whether the day or the month comes first.
    NoOrder,
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeError::Unreadable => "this is not a date or a time",
            TimeError::NoZone => "the time has no offset",
            TimeError::TooFewDigits => "a number of fewer than 9 digits is not Unix seconds",
            TimeError::ShortYear => "the year has two digits",
            TimeError::NoOrder => "the day or the month may be first",
        })
    }
}

impl TimeError {
    pub(super) fn fix(self) -> &'static str {
        match self {
            TimeError::NoZone => "add an offset such as +02:00, or choose one with --timezone",
            TimeError::NoOrder => "choose with --dates dmy or --dates mdy",
            _ => "write 2026-12-01T09:30:00Z, 2026-12-01, or Unix seconds",
        }
    }
}

/// The largest number of seconds. A larger number is milliseconds.
const MAX_SECONDS: i64 = intercom_core::rules::MAX_UNIX_SECONDS;

impl Times {
    /// Reads a time: Unix seconds or milliseconds, ISO 8601, or a numeric date. A day is its
    /// midnight in UTC.
    ///
    /// # Errors
    ///
    /// Fails when the text is not a time, or could mean several.
    pub(super) fn read(&self, text: &str) -> Result<Timestamp, TimeError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            if digits.len() < MIN_DIGITS {
                return Err(TimeError::TooFewDigits);
            }
            let number: i64 = text.parse().map_err(|_| TimeError::Unreadable)?;
            let is_milliseconds = number.unsigned_abs() > MAX_SECONDS.unsigned_abs();
            let seconds = if is_milliseconds { number.div_euclid(1_000) } else { number };
            return match seconds.unsigned_abs() > MAX_SECONDS.unsigned_abs() {
                true => Err(TimeError::Unreadable),
                false => Ok(Timestamp::from_unix_seconds(seconds)),
            };
        }
        if let Some(numbers) = NumericDate::read(text) {
            return self.numbered(numbers?);
        }
        if text.len() == "2026-12-01".len()
            && let Ok(day) = text.parse::<Date>()
        {
            return midnight(day);
        }
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(timestamp(time));
        }
        match text.parse::<DateTime>() {
            Ok(time) => self.local(time),
            Err(_) => Err(TimeError::Unreadable),
        }
    }

    fn numbered(&self, date: NumericDate) -> Result<Timestamp, TimeError> {
        let order = match (date.order, self.order, date.days()) {
            (Some(order), ..) | (None, Some(order), _) => order,
            // 03/03 is one day in both orders.
            (None, None, (Some(one), Some(other))) if one == other => DateOrder::Dmy,
            (None, None, (Some(_), None)) => DateOrder::Dmy,
            (None, None, (None, Some(_))) => DateOrder::Mdy,
            (None, None, _) => return Err(TimeError::NoOrder),
        };
        let day = date.day(order).ok_or(TimeError::Unreadable)?;
        match date.time {
            None => midnight(day),
            Some(time) => self.local(day.to_datetime(time)),
        }
    }

    fn local(&self, time: DateTime) -> Result<Timestamp, TimeError> {
        let zone = self.zone.clone().ok_or(TimeError::NoZone)?;
        let zoned = time.to_zoned(zone).map_err(|_| TimeError::Unreadable)?;
        Ok(timestamp(zoned.timestamp()))
    }
}

fn midnight(day: Date) -> Result<Timestamp, TimeError> {
    let zoned = day.to_zoned(TimeZone::UTC).map_err(|_| TimeError::Unreadable)?;
    Ok(timestamp(zoned.timestamp()))
}

/// Cuts a fraction off, towards the past, so that no event is later than its own time.
fn timestamp(time: jiff::Timestamp) -> Timestamp {
    Timestamp::from_unix_seconds(time.as_second() - i64::from(time.subsec_nanosecond() < 0))
}

/// A date such as 03/04/2026 or 3.4.2026, with or without a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct NumericDate {
    first: i8,
    second: i8,
    year: i16,
    /// The order, if the date shows it: a date with points begins with the day.
    pub(super) order: Option<DateOrder>,
    time: Option<Time>,
}

impl NumericDate {
    /// Reads a numeric date; `None` for text of another form.
    pub(super) fn read(text: &str) -> Option<Result<Self, TimeError>> {
        let (day, time) = match text.split_once([' ', 'T']) {
            Some((day, time)) => (day, Some(time.trim())),
            None => (text, None),
        };
        let separator = day.chars().find(|c| !c.is_ascii_digit())?;
        if !matches!(separator, '/' | '.' | '-') {
            return None;
        }
        let parts: Vec<&str> = day.split(separator).collect();
        let &[first, second, year] = &*parts else { return None };
        let is_part =
            |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if !is_part(first) || !is_part(second) || !year.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        if year.len() != 4 {
            return Some(Err(TimeError::ShortYear));
        }
        let time = match time.map(clock) {
            Some(None) => return Some(Err(TimeError::Unreadable)),
            time => time.flatten(),
        };
        let order = (separator == '.').then_some(DateOrder::Dmy);
        let (first, second, year) = (first.parse().ok()?, second.parse().ok()?, year.parse().ok()?);
        Some(Ok(NumericDate { first, second, year, order, time }))
    }

    /// Returns the day with the day first, and the day with the month first.
    pub(super) fn days(self) -> (Option<Date>, Option<Date>) {
        (self.day(DateOrder::Dmy), self.day(DateOrder::Mdy))
    }

    fn day(self, order: DateOrder) -> Option<Date> {
        let (day, month) = match order {
            DateOrder::Dmy => (self.first, self.second),
            DateOrder::Mdy => (self.second, self.first),
        };
        Date::new(self.year, month, day).ok()
    }
}

/// Reads `9:30`, `09:30:00` or `9:30 PM`.
fn clock(text: &str) -> Option<Time> {
    let upper = text.to_ascii_uppercase();
    let (text, half) = match (upper.strip_suffix("AM"), upper.strip_suffix("PM")) {
        (Some(text), _) => (text.trim_end(), Some(0)),
        (_, Some(text)) => (text.trim_end(), Some(12)),
        _ => (&*upper, None),
    };
    let mut parts = text.split(':').map(|part| {
        let is_part = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        is_part.then(|| part.parse::<i8>().ok()).flatten()
    });
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = match parts.next() {
        Some(second) => second?,
        None => 0,
    };
    if parts.next().is_some() {
        return None;
    }
    let hour = match half {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + half,
        Some(_) => return None,
        None => hour,
    };
    Time::new(hour, minute, second, 0).ok()
}

/// The values of a file that show how it writes numbers and dates.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// A number that is valid only with a decimal point.
    point: Option<String>,
    /// A number that is valid only with a decimal comma.
    comma: Option<String>,
    /// A number that differs between the two readings.
    ambiguous_number: Option<String>,
    dmy: Option<String>,
    mdy: Option<String>,
    ambiguous_date: Option<String>,
    /// A time of an event without an offset.
    zoneless: Option<String>,
    /// Whether a time of an event needs no zone.
    is_zoned: bool,
}

impl Evidence {
    /// Learns from a number.
    pub(super) fn number(&mut self, text: &str) {
        let note = match (Decimal::Point.number(text), Decimal::Comma.number(text)) {
            (Some(one), Some(other)) if one != other => &mut self.ambiguous_number,
            (Some(_), None) => &mut self.point,
            (None, Some(_)) => &mut self.comma,
            _ => return,
        };
        note.get_or_insert_with(|| text.to_owned());
    }

    /// Learns from a numeric date.
    pub(super) fn date(&mut self, text: &str) {
        let Some(Ok(date)) = NumericDate::read(text) else { return };
        if date.order.is_some() {
            return;
        }
        let note = match date.days() {
            (Some(one), Some(other)) if one == other => return,
            (Some(_), Some(_)) => &mut self.ambiguous_date,
            (Some(_), None) => &mut self.dmy,
            (None, Some(_)) => &mut self.mdy,
            (None, None) => return,
        };
        note.get_or_insert_with(|| text.to_owned());
    }

    /// Learns from the time of an event.
    pub(super) fn time(&mut self, text: &str) {
        self.date(text);
        // Any order works, because this only looks for an offset.
        let times = Times { order: Some(DateOrder::Dmy), zone: None };
        let other = Times { order: Some(DateOrder::Mdy), zone: None };
        match (times.read(text), other.read(text)) {
            (Ok(_), _) | (_, Ok(_)) => self.is_zoned = true,
            (Err(TimeError::NoZone), _) | (_, Err(TimeError::NoZone)) => {
                self.zoneless.get_or_insert_with(|| text.to_owned());
            }
            _ => {}
        }
    }

    /// Checks that the times of the events need no zone.
    ///
    /// # Errors
    ///
    /// Fails, with a sentence, when no time has an offset.
    pub(super) fn expect_zones(&self) -> Result<(), String> {
        match &self.zoneless {
            Some(text) if !self.is_zoned => Err(format!(
                "the time `{text}` has no offset, so it is another moment in each time zone; \
                 choose a zone with --timezone, such as --timezone UTC or --timezone Europe/Berlin"
            )),
            _ => Ok(()),
        }
    }

    /// Returns the decimal mark. `delimited_by_comma` says that the file quotes a number with a
    /// comma.
    ///
    /// # Errors
    ///
    /// Fails, with a sentence, when two readings remain.
    pub(super) fn decimal(&self, delimited_by_comma: bool) -> Result<Decimal, String> {
        match (&self.point, &self.comma, &self.ambiguous_number) {
            (Some(_), None, _) | (None, None, None) => Ok(Decimal::Point),
            (None, Some(_), _) => Ok(Decimal::Comma),
            // In such a file, a point alone is a decimal point.
            (None, None, Some(number)) if delimited_by_comma && !number.contains(',') => {
                Ok(Decimal::Point)
            }
            (None, None, Some(number)) => {
                let read = |decimal: Decimal| decimal.number(number).unwrap_or_default();
                Err(format!(
                    "the number `{number}` is {} with a decimal point and {} with a decimal \
                     comma; choose with --decimal point or --decimal comma",
                    read(Decimal::Point),
                    read(Decimal::Comma)
                ))
            }
            (Some(point), Some(comma), _) => Err(format!(
                "`{point}` has a decimal point and `{comma}` a decimal comma; choose with \
                 --decimal point or --decimal comma, and correct the rejected rows"
            )),
        }
    }

    /// Returns whether more values could decide a question.
    pub(super) fn is_open(&self) -> bool {
        let number =
            self.point.is_none() && self.comma.is_none() && self.ambiguous_number.is_some();
        let date = self.dmy.is_none() && self.mdy.is_none() && self.ambiguous_date.is_some();
        number || date
    }

    /// Returns the order of numeric dates, if there are any.
    ///
    /// # Errors
    ///
    /// Fails, with a sentence, when two readings remain.
    pub(super) fn order(&self) -> Result<Option<DateOrder>, String> {
        match (&self.dmy, &self.mdy, &self.ambiguous_date) {
            (None, None, None) => Ok(None),
            (Some(_), None, _) => Ok(Some(DateOrder::Dmy)),
            (None, Some(_), _) => Ok(Some(DateOrder::Mdy)),
            (None, None, Some(text)) => {
                let Some(Ok(date)) = NumericDate::read(text) else { return Ok(None) };
                let shown = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
                let (dmy, mdy) = date.days();
                Err(format!(
                    "the date `{text}` is {} with the day first and {} with the month first; \
                     choose with --dates dmy or --dates mdy",
                    shown(dmy),
                    shown(mdy)
                ))
            }
            (Some(dmy), Some(mdy), _) => Err(format!(
                "`{dmy}` has the day first and `{mdy}` the month; choose with --dates dmy or \
                 --dates mdy, and correct the rejected rows"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_their_convention() {
        for (text, point, comma) in [
            ("7", Some("7"), Some("7")),
            ("-1234.50", Some("-1234.50"), None),
            ("-1234,50", None, Some("-1234.50")),
            ("1,234.5", Some("1234.5"), None),
            ("1.234,5", None, Some("1234.5")),
            ("1,234", Some("1234"), Some("1.234")),
            ("1.234.567", None, Some("1234567")),
            ("1,23,4", None, None),
            ("", None, None),
            ("-", None, None),
            ("1.", None, None),
            ("1e5", None, None),
        ] {
            assert_eq!(Decimal::Point.number(text).as_deref(), point, "{text}");
            assert_eq!(Decimal::Comma.number(text).as_deref(), comma, "{text}");
        }
    }

    #[test]
    fn times_are_read() {
        let zone = Some(TimeZone::fixed(jiff::tz::offset(2)));
        let times = Times { order: Some(DateOrder::Mdy), zone };
        let read = |text| times.read(text).map(Timestamp::unix_seconds);
        let noon = read("2026-12-01T12:00:00Z");
        for text in [
            "1796126400",
            "1796126400999",
            "2026-12-01T14:00:00+02:00",
            "2026-12-01 12:00:00.9Z",
            "2026-12-01T14:00",
            "2026-12-01 14:00:00",
            "12/1/2026 2:00 PM",
            "12/01/2026 14:00",
            "1.12.2026 14:00:00",
        ] {
            assert_eq!(read(text), noon, "{text}");
        }
        let midnight = read("2026-12-01T00:00:00Z");
        for text in ["2026-12-01", "12/01/2026", "12-1-2026", "1.12.2026"] {
            assert_eq!(read(text), midnight, "{text}");
        }
        let none = Times::default();
        for (text, why) in [
            ("2026-12-01T14:00", TimeError::NoZone),
            ("20261201", TimeError::TooFewDigits),
            ("1.12.26", TimeError::ShortYear),
            ("03/04/2026", TimeError::NoOrder),
            ("31/31/2026", TimeError::NoOrder),
            ("2026-02-30", TimeError::Unreadable),
            ("1796126400000000", TimeError::Unreadable),
            ("tomorrow", TimeError::Unreadable),
            ("", TimeError::Unreadable),
        ] {
            assert_eq!(none.read(text), Err(why), "{text}");
        }
        assert!(none.read("13/04/2026").is_ok() && none.read("04/04/2026").is_ok());
    }

    #[test]
    fn an_ambiguous_file_is_refused_with_both_readings() {
        let evidence = |numbers: &[&str], dates: &[&str]| {
            let mut evidence = Evidence::default();
            numbers.iter().for_each(|number| evidence.number(number));
            dates.iter().for_each(|date| evidence.date(date));
            evidence
        };
        assert_eq!(
            evidence(&["7", "1,234"], &[]).decimal(false).unwrap_err(),
            "the number `1,234` is 1234 with a decimal point and 1.234 with a decimal comma; \
             choose with --decimal point or --decimal comma"
        );
        assert_eq!(evidence(&["1,234", "1,5"], &[]).decimal(false), Ok(Decimal::Comma));
        assert_eq!(evidence(&["1,234", "0.5"], &[]).decimal(false), Ok(Decimal::Point));
        assert_eq!(evidence(&["1.234"], &[]).decimal(true), Ok(Decimal::Point));
        assert!(evidence(&["1.234"], &[]).decimal(false).is_err());
        assert!(evidence(&["1.5", "1,5"], &[]).decimal(true).is_err());
        assert_eq!(
            evidence(&[], &["03/04/2026"]).order().unwrap_err(),
            "the date `03/04/2026` is 2026-04-03 with the day first and 2026-03-04 with the month \
             first; choose with --dates dmy or --dates mdy"
        );
        assert_eq!(evidence(&[], &["03/04/2026", "13/04/2026"]).order(), Ok(Some(DateOrder::Dmy)));
        assert_eq!(evidence(&[], &["03/04/2026", "04/13/2026"]).order(), Ok(Some(DateOrder::Mdy)));
        assert!(evidence(&[], &["13/04/2026", "04/13/2026"]).order().is_err());
        assert_eq!(evidence(&[], &["03/03/2026", "1.12.2026", "2026-12-01"]).order(), Ok(None));
    }
}
