//! Progress: a bar on a terminal, elsewhere a line every ten seconds.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// The interval of the lines without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

const TEMPLATE: &str = "{prefix} {bar:30} {percent}% {msg} {eta} left";

/// Shows the progress of an import.
pub(super) struct Meter {
    bar: Option<ProgressBar>,
    output: Output,
    file: String,
    size: u64,
    begun: Instant,
    printed: Instant,
    /// The rows that earlier runs took.
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

    /// Excludes the rows of earlier runs from the rate.
    pub(super) fn skipped(&mut self, rows: u64) {
        self.before = rows;
    }

    /// Shows the number of imported rows, up to this byte of the file.
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

    /// Removes the bar.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
