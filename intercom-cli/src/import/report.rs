//! The report of an import, and the report of a dry run.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::rejection::{Rejection, Rule};
use crate::body::MaskedBody;
use crate::output::Printable;

/// The limit of shown rejections of a rule.
const SHOWN: usize = 3;

/// The number of events that a dry run shows.
pub(super) const EVENTS: usize = 3;

/// The numbers of accepted and rejected rows of a file.
#[derive(Debug, Default, Serialize)]
pub(super) struct ImportReport {
    pub(super) file: String,
    /// Rows that this run accepted.
    pub(super) accepted: u64,
    /// Rows that an earlier run accepted.
    pub(super) accepted_before: u64,
    pub(super) rejected: u64,
    /// The rows that each rule rejected.
    pub(super) rules: BTreeMap<Rule, RuleCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rejected_file: Option<String>,
}

/// The rows that one rule rejected.
#[derive(Debug, Default, Serialize)]
pub(super) struct RuleCount {
    count: u64,
    /// The first of these rows.
    first: Vec<Example>,
}

#[derive(Debug, Serialize)]
struct Example {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    fix: String,
}

impl ImportReport {
    pub(super) fn reject(&mut self, line: u64, rejection: Rejection) {
        self.rejected += 1;
        let Rejection { rule, column, fix } = rejection;
        let count = self.rules.entry(rule).or_default();
        count.count += 1;
        if count.first.len() < SHOWN {
            count.first.push(Example { line, column, fix });
        }
    }

    fn write_rules(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rule, RuleCount { count, first }) in &self.rules {
            write!(f, "\n  {} {count}", rule.as_str())?;
            for Example { line, column, fix } in first {
                write!(f, "\n    line {line}")?;
                if let Some(column) = column {
                    write!(f, ", {}", column.escape_debug())?;
                }
                write!(f, ": {fix}")?;
            }
        }
        Ok(())
    }
}

impl Printable for ImportReport {
    const TYPE: &'static str = "import";
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ImportReport { file, accepted, accepted_before, rejected, .. } = self;
        write!(f, "{file}: accepted {accepted}")?;
        if *accepted_before > 0 {
            write!(f, ", accepted before {accepted_before}")?;
        }
        write!(f, ", rejected {rejected}")?;
        if let Some(rejected_file) = &self.rejected_file {
            write!(f, " (in {rejected_file})")?;
        }
        self.write_rules(f)
    }
}

/// The findings of a dry run.
#[derive(Serialize)]
pub(super) struct DryRun<'a> {
    #[serde(flatten)]
    pub(super) report: ImportReport,
    pub(super) format: String,
    pub(super) encoding: &'static str,
    /// What each column becomes.
    pub(super) columns: Vec<ColumnReport>,
    /// Rows older than 90 days. Intercom counts them, but does not list them.
    pub(super) older_than_90_days: u64,
    pub(super) contacts: u64,
    /// The first events, with their requests.
    pub(super) events: Vec<MaskedBody<'a>>,
}

#[derive(Serialize)]
pub(super) struct ColumnReport {
    pub(super) column: String,
    pub(super) becomes: String,
}

impl Printable for DryRun<'_> {
    const TYPE: &'static str = "import_dry_run";
}

impl fmt::Display for DryRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DryRun { report, format, encoding, columns, older_than_90_days, contacts, events } =
            self;
        write!(f, "{}: {format}, {encoding}", report.file)?;
        for ColumnReport { column, becomes } in columns {
            write!(f, "\n  {} -> {becomes}", column.escape_debug())?;
        }
        for event in events {
            let json = serde_json::to_string(event).map_err(|_| fmt::Error)?;
            write!(f, "\n  {json}")?;
        }
        write!(
            f,
            "\nwould accept {}, reject {}; contacts: {contacts}",
            report.accepted, report.rejected
        )?;
        if *older_than_90_days > 0 {
            write!(
                f,
                "; older than 90 days, which Intercom counts \
                 and does not list: {older_than_90_days}"
            )?;
        }
        report.write_rules(f)
    }
}
