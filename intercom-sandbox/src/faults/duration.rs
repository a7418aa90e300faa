//! Durations as people write them: `500ms`, `2s`, `1.5m`, `1h`.

use std::time::Duration;

/// Milliseconds in a unit, from the longest.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

pub(super) fn parse(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let (_, milliseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    // Parsing alone would take an exponent and a sign too.
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let seconds = number.parse::<f64>().ok()? * *milliseconds as f64 / 1000.0;
    Duration::try_from_secs_f64(seconds).ok()
}

/// In the longest unit that it is a whole number of.
pub(super) fn print(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let whole = UNITS.iter().find(|(_, size)| milliseconds.is_multiple_of(u128::from(*size)));
    match whole {
        Some(_) if milliseconds == 0 => "0s".to_owned(),
        Some((unit, size)) => format!("{}{unit}", milliseconds / u128::from(*size)),
        None => format!("{milliseconds}ms"),
    }
}
