//! Prints figures, and compares them with their bounds.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fmt;
use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::rounds::Spread;

/// The bound of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// The figure must not be larger.
    AtMost(f64),
    /// The figure must not be smaller.
    AtLeast(f64),
}

impl Bound {
    fn admits(self, figure: f64) -> bool {
        match self {
            Bound::AtMost(most) => figure <= most,
            Bound::AtLeast(least) => figure >= least,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::AtMost(most) => write!(f, "at most {most}"),
            Bound::AtLeast(least) => write!(f, "at least {least}"),
        }
    }
}

/// Measures one part of a bench.
pub type Part = fn(&mut Report, &Runtime);

/// Compares figures with bounds, and counts those beyond.
#[derive(Debug)]
pub struct Report {
    check: bool,
    beyond: usize,
}

impl Report {
    /// Begins a report. With `--check` among the arguments, its exit status is 1 when a figure is
    /// beyond its bound.
    pub fn from_args() -> Report {
        Report { check: std::env::args().any(|argument| argument == "--check"), beyond: 0 }
    }

    /// Runs the parts that the arguments name, or all parts if they name none.
    pub fn run(&mut self, runtime: &Runtime, parts: &[(&str, Part)]) {
        let is_named = |name: &str| std::env::args().any(|argument| argument == name);
        let all = !parts.iter().any(|(name, _)| is_named(name));
        for (_, part) in parts.iter().filter(|(name, _)| all || is_named(name)) {
            part(self, runtime);
        }
    }

    /// Compares the median of a ratio with a bound.
    pub fn ratio(&mut self, what: &str, ratio: Spread, bound: Bound) {
        let Spread { low, median, high } = ratio;
        self.hold(what, median, &format!("{median:.3} ({low:.3} to {high:.3})"), bound);
    }

    /// Shows the median of a ratio beside a target. A missed target does not fail the run.
    pub fn target(&mut self, what: &str, ratio: Spread, target: Bound) {
        let Spread { low, median, high } = ratio;
        let shown = format!("{median:.3} ({low:.3} to {high:.3})");
        let verdict = if target.admits(median) { "it holds" } else { "BEYOND THE BOUND" };
        println!("  {what:<58} {shown:<24} {:<14} {verdict}", format!("target {target}"));
    }

    /// Compares a number that does not vary with a bound.
    pub fn number(&mut self, what: &str, number: f64, bound: Bound) {
        self.hold(what, number, &format!("{number:.2}"), bound);
    }

    fn hold(&mut self, what: &str, figure: f64, shown: &str, bound: Bound) {
        let within = bound.admits(figure);
        self.beyond += usize::from(!within);
        let verdict = if within { "within the bound" } else { "BEYOND THE BOUND" };
        println!("  {what:<58} {shown:<24} {:<14} {verdict}", bound.to_string());
    }

    /// Ends the report, and returns the exit status.
    pub fn finish(self) -> ExitCode {
        match self.beyond {
            0 => println!("\nEverything is within its bound."),
            beyond => println!("\nBEYOND THE BOUND: {beyond} of the figures above."),
        }
        if self.check && self.beyond > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// Prints rows in aligned columns: the first to the left, the others to the right.
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) {
    let headings = headings.map(str::to_owned);
    let lines = || std::iter::once(&headings).chain(rows);
    let widths: [usize; N] = std::array::from_fn(|column| {
        lines().map(|line| line[column].chars().count()).max().unwrap_or(0)
    });
    for line in lines() {
        let mut text = String::new();
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            text += &match column {
                0 => format!("  {cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            };
        }
        println!("{}", text.trim_end());
    }
}

/// Shows a time in nanoseconds.
pub fn nanoseconds(seconds: f64) -> String {
    format!("{:.0} ns", seconds * 1e9)
}

/// Shows a time in microseconds.
pub fn microseconds(seconds: f64) -> String {
    format!("{:.1} µs", seconds * 1e6)
}

/// Shows a time in seconds.
pub fn seconds(seconds: f64) -> String {
    format!("{seconds:.3} s")
}
