//! Prints findings as text, JSON, annotations of GitHub, or JUnit.

use std::fmt;

use clap::ValueEnum;
use intercom_catalogue::{Finding, Review};
use serde::Serialize;

use super::source::ParsedLock;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Printable;

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For people
    Text,
    /// A JSON object a line
    Json,
    /// Annotations of GitHub Actions
    Github,
    /// JUnit's XML, which most CI systems read
    Junit,
}

/// The changes between two locks, and those that the lock does not allow.
pub(super) struct LockReport<'a> {
    pub(super) review: &'a Review,
    pub(super) new: &'a ParsedLock,
    /// Whether to print also changes that need no allowance.
    pub(super) has_notes: bool,
}

/// A finding in its JSON form.
#[derive(Serialize)]
struct FindingLine<'a> {
    class: &'static str,
    rule: &'static str,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    change: &'a str,
    is_blocking: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<&'a str>,
    sentence: &'static str,
    fix: &'static str,
    line: usize,
}

impl fmt::Display for FindingLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.rule, self.event, self.change)
    }
}

impl Printable for FindingLine<'_> {
    const TYPE: &'static str = "finding";
}

/// An allowance that matches no change.
#[derive(Serialize)]
struct Unused {
    allow: String,
    line: usize,
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`allow {}` allows no change: remove the line", self.allow)
    }
}

impl Printable for Unused {
    const TYPE: &'static str = "unused_allowance";
}

impl LockReport<'_> {
    /// Prints the report.
    pub(super) fn print(
        &self,
        context: &Context,
        format: Option<ReportFormat>,
    ) -> Result<(), Failure> {
        let default = if context.output.json { ReportFormat::Json } else { ReportFormat::Text };
        match format.unwrap_or(default) {
            ReportFormat::Text => self.text(context),
            ReportFormat::Json => self.json(context),
            ReportFormat::Github => self.github(context),
            ReportFormat::Junit => context.output.text(self.junit()),
        }
    }

    fn findings(&self) -> impl Iterator<Item = &Finding> {
        let is_printed =
            |finding: &&Finding| self.has_notes || finding.rule.class().needs_allowance();
        self.review.findings().iter().filter(is_printed)
    }

    fn unused(&self) -> impl Iterator<Item = Unused> {
        self.review.unused_allowances().iter().map(|allowance| {
            let allow = allowance.to_string();
            Unused { line: line_of(&self.new.text, &["allow", &allow]), allow }
        })
    }

    fn text(&self, context: &Context) -> Result<(), Failure> {
        for finding in self.findings() {
            context.output.text(finding)?;
            let (rule, subject) = (finding.rule, finding.subject());
            match &finding.allowed {
                Some(reason) => context.output.text(format_args!("       allowed: {reason}"))?,
                None if finding.is_blocking() => {
                    context.output.text(format_args!("       {}", rule.sentence()))?;
                    context.output.text(format_args!("       Fix: {}", rule.fix()))?;
                    context.output.text(format_args!(
                        "       Or allow it: intercom lock accept {rule} {subject} --why \"…\""
                    ))?;
                }
                None => {}
            }
        }
        self.unused().try_for_each(|unused| context.output.text(format_args!("unused {unused}")))
    }

    fn json(&self, context: &Context) -> Result<(), Failure> {
        let json = crate::output::Output { json: true, ..context.output };
        self.findings().try_for_each(|finding| json.data(&self.line(finding)))?;
        self.unused().try_for_each(|unused| json.data(&unused))
    }

    fn line<'a>(&self, finding: &'a Finding) -> FindingLine<'a> {
        FindingLine {
            class: finding.rule.class().as_str(),
            rule: finding.rule.id(),
            event: &finding.event,
            key: finding.key.as_deref(),
            change: &finding.change,
            is_blocking: finding.is_blocking(),
            allowed: finding.allowed.as_deref(),
            sentence: finding.rule.sentence(),
            fix: finding.rule.fix(),
            line: self.line_of(finding),
        }
    }

    /// Returns the finding's line in the new lock: the key's, else the event's, else the first.
    fn line_of(&self, finding: &Finding) -> usize {
        let text = &self.new.text;
        let event = line_of(text, &["event", &finding.event]);
        let Some(key) = finding.key.as_deref() else { return event };
        let below = text.lines().enumerate().skip(event);
        let of_event = below.take_while(|(_, line)| !line.starts_with("event "));
        let key = of_event.into_iter().find(|(_, line)| begins_with(line, &["key", key]));
        key.map_or(event, |(at, _)| at + 1)
    }

    fn github(&self, context: &Context) -> Result<(), Failure> {
        let file = escape_property(&self.new.name);
        for finding in self.findings() {
            let FindingLine { rule, sentence, fix, line, is_blocking, .. } = self.line(finding);
            let level = if is_blocking { "error" } else { "notice" };
            let message =
                format!("{}: {}\n{sentence}\nFix: {fix}", finding.subject(), finding.change);
            let message = escape_data(&message);
            context
                .output
                .text(format_args!("::{level} file={file},line={line},title={rule}::{message}"))?;
        }
        self.unused().try_for_each(|unused| {
            let (line, message) = (unused.line, escape_data(&unused.to_string()));
            context
                .output
                .text(format_args!("::error file={file},line={line},title=UNUSED_ALLOW::{message}"))
        })
    }

    /// Returns a test case for each finding, or a single case without a finding.
    fn junit(&self) -> String {
        let of_finding = self.findings().map(|finding| {
            let rule = finding.rule;
            let text = format!("{}\n{}\nFix: {}", finding.change, rule.sentence(), rule.fix());
            (format!("{rule} {}", finding.subject()), finding.is_blocking().then_some(text))
        });
        let of_unused = self
            .unused()
            .map(|unused| (format!("UNUSED_ALLOW {}", unused.allow), Some(unused.to_string())));
        let mut cases: Vec<_> = of_finding.chain(of_unused).collect();
        if cases.is_empty() {
            cases.push(("no change needs an allowance".to_owned(), None));
        }
        let failures = cases.iter().filter(|(_, failure)| failure.is_some()).count();
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"intercom lock\" \
             tests=\"{}\" failures=\"{failures}\">\n",
            cases.len()
        );
        for (name, failure) in &cases {
            let name = escape_xml(name);
            xml += &format!("  <testcase classname=\"events.lock\" name=\"{name}\"");
            xml += &match failure {
                None => "/>\n".to_owned(),
                Some(text) => format!(
                    ">\n    <failure message=\"{name}\">{}</failure>\n  </testcase>\n",
                    escape_xml(text)
                ),
            };
        }
        xml + "</testsuite>"
    }
}

/// Returns the number of the first line of these words, or 1.
fn line_of(text: &str, words: &[&str]) -> usize {
    text.lines().position(|line| begins_with(line, words)).map_or(1, |at| at + 1)
}

/// Returns whether a line begins with a keyword and this word, with or without quotes.
fn begins_with(line: &str, words: &[&str]) -> bool {
    let [keyword, word] = words else { return false };
    let Some(rest) = line.trim_start().strip_prefix(keyword) else { return false };
    let rest = rest.trim_start();
    let quoted = serde_json::Value::from(*word).to_string();
    [*word, quoted.as_str()].iter().any(|word| {
        rest.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    })
}

/// Escapes the message of a workflow command of GitHub.
fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a workflow command of GitHub.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

fn escape_xml(text: &str) -> String {
    let allowed = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let text: String = text.chars().filter(allowed).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
