//! The text form of a fault: parser and printer.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::fault::{Effect, Fault, Missing, Preset};
use super::scope::Scope;
use crate::answer::Answer;

/// The error of parsing a text that is not a [`Fault`]. Its message says how to fix the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a fault: {reason}")]
pub struct InvalidFault {
    text: String,
    reason: String,
}

const EFFECTS: &str = "expected a status such as `503`, or `html 502`, `hang`, `hang up`, \
    `reset`, `delay 2s`, `truncate`, `without rate-limit headers`, `without request id`, `without \
    content type`, `skew +30s`, `outage`, `unreachable`, `revoke token` or `rate limit 5`";

const CLAUSES: &str = "expected `for 20%`, `for next 3`, `for 30s`, `on events`, `on contacts`, \
                       `on everything`, `on event NAME` or `after acceptance`";

const DURATION: &str = "a duration is a number with `ms`, `s`, `m` or `h`, such as `2s`";

/// Words that the parser skips.
const SKIPPED_WORDS: [&str; 6] = ["for", "the", "of", "request", "requests", "and"];

impl FromStr for Fault {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let fault = effect(&words)
            .and_then(|(effect, rest)| clauses(Self::of(effect), rest))
            .and_then(|fault| match fault.contradiction() {
                Some(reason) => Err(reason.to_owned()),
                None => Ok(fault),
            });
        fault.map_err(|reason| InvalidFault { text: text.to_owned(), reason })
    }
}

fn effect<'a, 'b>(words: &'a [&'b str]) -> Result<(Effect, &'a [&'b str]), String> {
    let number = |word: &str| word.parse::<u32>().map_err(|_| format!("`{word}` is not a number"));
    let time = |word: &str| {
        parse_duration(word).ok_or_else(|| format!("`{word}` is not a duration: {DURATION}"))
    };
    Ok(match words {
        ["html", code, rest @ ..] => {
            let (code, _) = status(code)?;
            (Effect::Answer(Answer::html(code)), rest)
        }
        ["hang", "up", rest @ ..] => (Effect::Answer(Answer::hang_up()), rest),
        ["hang", rest @ ..] => (Effect::Answer(Answer::silence()), rest),
        ["reset", rest @ ..] => (Effect::Answer(Answer::reset()), rest),
        ["delay", word, rest @ ..] => (Effect::Delay(time(word)?), rest),
        ["truncate", rest @ ..] => (Effect::Truncate, rest),
        ["without", "rate-limit", "headers", rest @ ..] => {
            (Effect::Without(Missing::RateLimit), rest)
        }
        ["without", "request", "id", rest @ ..] => (Effect::Without(Missing::RequestId), rest),
        ["without", "content", "type", rest @ ..] => (Effect::Without(Missing::ContentType), rest),
        ["skew", word, rest @ ..] => (Effect::Skew(skew(word)?), rest),
        ["outage", rest @ ..] => (Effect::Preset(Preset::Outage), rest),
        ["unreachable", rest @ ..] => (Effect::Preset(Preset::Unreachable), rest),
        ["revoke", "token", rest @ ..] => (Effect::Preset(Preset::RevokedToken), rest),
        ["rate", "limit", word, rest @ ..] => (Effect::RateLimit(number(word)?), rest),
        ["status", ..] => return Err("write a status without the word, as in `503`".to_owned()),
        [word, rest @ ..] if word.bytes().all(|byte| byte.is_ascii_digit()) => {
            let (_, answer) = status(word)?;
            (Effect::Answer(answer), rest)
        }
        _ => return Err(EFFECTS.to_owned()),
    })
}

/// Parses a status, with its usual answer.
fn status(word: &str) -> Result<(u16, Answer), String> {
    word.parse()
        .ok()
        .and_then(|code| Some((code, Answer::usual(code)?)))
        .ok_or_else(|| format!("`{word}` is not a status from 200 to 599"))
}

fn skew(word: &str) -> Result<i64, String> {
    let (sign, time) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
        (Some(time), _) => (1, time),
        (_, Some(time)) => (-1, time),
        _ => return Err("a skew is ahead, `+30s`, or behind, `-30s`".to_owned()),
    };
    parse_duration(time)
        .filter(|time| time.subsec_nanos() == 0)
        .and_then(|time| i64::try_from(time.as_secs()).ok())
        .map(|seconds| sign * seconds)
        .ok_or_else(|| format!("`{word}` is not a skew of whole seconds: {DURATION}"))
}

fn clauses(mut fault: Fault, mut words: &[&str]) -> Result<Fault, String> {
    let mut scoped = false;
    loop {
        let before = fault.clone();
        let twice = |again: bool| {
            if again { Err("a clause is there twice".to_owned()) } else { Ok(()) }
        };
        words = match words {
            [] => return Ok(fault),
            [word, rest @ ..] if SKIPPED_WORDS.contains(word) => rest,
            ["after", "acceptance", rest @ ..] => {
                twice(before.after_acceptance)?;
                fault = fault.after_acceptance();
                rest
            }
            ["next", word, rest @ ..] => {
                twice(before.next.is_some())?;
                let requests = word.parse().map_err(|_| format!("`{word}` is not a number"))?;
                if requests == 0 {
                    return Err("expected 1 or more after `next`".to_owned());
                }
                fault = fault.next(requests);
                rest
            }
            ["on", rest @ ..] => {
                twice(scoped)?;
                scoped = true;
                match rest {
                    ["event", name @ ..] if !name.is_empty() => {
                        return Ok(fault.on_event(&name.join(" ")));
                    }
                    ["events", rest @ ..] => {
                        fault = fault.on_events();
                        rest
                    }
                    ["contacts", rest @ ..] => {
                        fault = fault.on_contacts();
                        rest
                    }
                    ["everything", rest @ ..] => {
                        fault = fault.on_everything();
                        rest
                    }
                    _ => return Err(CLAUSES.to_owned()),
                }
            }
            [word, rest @ ..] => {
                if let Some(number) = word.strip_suffix('%') {
                    twice(before.percent.is_some())?;
                    let percent = number.parse().ok().filter(|p| (0.0..=100.0).contains(p));
                    let percent = percent.ok_or("a percentage is between `0%` and `100%`")?;
                    fault = fault.percent(percent);
                } else if let Some(time) = parse_duration(word) {
                    twice(before.lasting.is_some())?;
                    fault = fault.lasting(time);
                } else {
                    return Err(format!("`{word}` is not a clause: {CLAUSES}"));
                }
                rest
            }
        };
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.effect)?;
        if self.after_acceptance {
            f.write_str(" after acceptance")?;
        }
        if let Some(percent) = self.percent {
            write!(f, " for {percent}%")?;
        }
        if let Some(requests) = self.next {
            write!(f, " for next {requests}")?;
        }
        if let Some(time) = self.lasting {
            write!(f, " for {}", print_duration(time))?;
        }
        if self.scope != self.effect.default_scope() {
            match &self.scope {
                Scope::Events => f.write_str(" on events")?,
                Scope::Contacts => f.write_str(" on contacts")?,
                Scope::Everything => f.write_str(" on everything")?,
                Scope::Event(name) => write!(f, " on event {name}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => write!(f, "{answer}"),
            Self::Preset(Preset::Outage) => f.write_str("outage"),
            Self::Preset(Preset::Unreachable) => f.write_str("unreachable"),
            Self::Preset(Preset::RevokedToken) => f.write_str("revoke token"),
            Self::Delay(time) => write!(f, "delay {}", print_duration(*time)),
            Self::Truncate => f.write_str("truncate"),
            Self::Without(Missing::RateLimit) => f.write_str("without rate-limit headers"),
            Self::Without(Missing::RequestId) => f.write_str("without request id"),
            Self::Without(Missing::ContentType) => f.write_str("without content type"),
            Self::Skew(seconds) => {
                let time = Duration::from_secs(seconds.unsigned_abs());
                let sign = if *seconds < 0 { '-' } else { '+' };
                write!(f, "skew {sign}{}", print_duration(time))
            }
            Self::RateLimit(requests) => write!(f, "rate limit {requests}"),
        }
    }
}

/// Milliseconds in a unit, longest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Parses a duration as people write it: `500ms`, `2s`, `1.5m`, `1h`.
fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let (_, milliseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    // `f64`'s parser alone would accept an exponent and a sign.
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let seconds = number.parse::<f64>().ok()? * *milliseconds as f64 / 1000.0;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Prints the duration in its longest whole unit.
fn print_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let whole = UNITS.iter().find(|(_, size)| milliseconds.is_multiple_of(u128::from(*size)));
    match whole {
        Some(_) if milliseconds == 0 => "0s".to_owned(),
        Some((unit, size)) => format!("{}{unit}", milliseconds / u128::from(*size)),
        None => format!("{milliseconds}ms"),
    }
}
