//! Progress: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

const TEMPLATE: &str = "{prefix} {bar:30} {percent}% {msg} {eta} left";

/// Shows how far an import has come.
pub(super) struct Meter {
    bar: Option<ProgressBar>,
    output: Output,
    file: String,
    size: u64,
    begun: Instant,
    printed: Instant,
    /// How many rows were taken before this run.
    before: u64,
}

impl Meter {
    pub(super) fn new(output: Output, file: &str, size: u64) -> Self {
        let is_shown = stderr().is_terminal() && !output.quiet && !output.json && !output.logs;
        let bar = is_shown.then(|| {
            let style = ProgressStyle::with_template(TEMPLATE)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr())
                .with_style(style)
                .with_prefix(file.to_owned())
        });
        let now = Instant::now();
        Meter { bar, output, file: file.to_owned(), size, begun: now, printed: now, before: 0 }
    }

    /// Says how many rows an earlier run took, so that they count for no rate.
    pub(super) fn skipped(&mut self, rows: u64) {
        self.before = rows;
    }

    /// Shows how many rows were taken, up to this byte of the file.
    pub(super) fn update(&mut self, rows: u64, bytes: u64) {
        let bytes = bytes.min(self.size);
        let elapsed = self.begun.elapsed().as_secs_f64().max(0.001);
        let rate = (rows.saturating_sub(self.before) as f64 / elapsed) as u64;
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{rows} rows, {rate}/s,"));
            bar.set_position(bytes);
        } else if self.printed.elapsed() >= LINE_EVERY {
            self.printed = Instant::now();
            let left = (self.size - bytes) as f64 / (bytes.max(1) as f64 / elapsed);
            let left = HumanDuration(Duration::from_secs_f64(left.min(1e9)));
            let percent = bytes * 100 / self.size.max(1);
            self.output
                .remark(format!("{}: {percent}% {rows} rows, {rate}/s, {left} left", self.file));
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
