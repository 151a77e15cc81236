//! The progress bar of long work, on a terminal's standard error; elsewhere nothing is drawn.

use std::io::Read;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

/// How far long work has come. Disappears when dropped.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

/// How often the bar is drawn: often enough to look alive.
const DRAWS_PER_SECOND: u8 = 10;
const TICK: Duration = Duration::from_millis(200);

impl Progress {
    /// Work over so many bytes, or over nobody knows how many.
    pub(crate) fn over_bytes(total: Option<u64>) -> Self {
        match total {
            Some(total) => Self::new(
                ProgressBar::with_draw_target(Some(total), target()),
                "{bar:32} {percent:>3}%  {binary_bytes_per_sec}  {msg}  {eta} left",
            ),
            None => Self::new(
                ProgressBar::with_draw_target(None, target()),
                "{spinner} {binary_bytes}  {binary_bytes_per_sec}  {msg}  {elapsed}",
            ),
        }
    }

    /// Work over entries whose number is told as it goes on.
    pub(crate) fn over_entries() -> Self {
        Self::new(
            ProgressBar::with_draw_target(Some(0), target()),
            "{bar:32} {percent:>3}%  {human_pos} of {human_len} entries, {per_sec}  {msg}  {eta} left",
        )
    }

    /// So many entries are done.
    pub(crate) fn reached(&self, entries: u64, entries_total: u64) {
        self.bar.set_length(entries_total);
        self.bar.set_position(entries);
    }

    fn new(bar: ProgressBar, template: &str) -> Self {
        let style = ProgressStyle::with_template(template).expect("the templates are well formed");
        bar.set_style(style.progress_chars("━╸─"));
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self { bar: bar.with_finish(ProgressFinish::AndClear) }
    }

    /// Counts what is read through the result.
    pub(crate) fn counting(&self, reader: impl Read + 'static) -> impl Read + 'static {
        self.bar.wrap_read(reader)
    }

    /// Says more than the bar does.
    pub(crate) fn say(&self, message: impl FnOnce() -> String) {
        if !self.bar.is_hidden() {
            self.bar.set_message(message());
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND)
}
