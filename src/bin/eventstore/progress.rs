//! The progress bar of long work, on a terminal's standard error; elsewhere nothing is drawn.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressState, ProgressStyle};

use crate::table::grouped;

/// How far long work has come. Disappears when dropped.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    /// Of work over entries: whether their number was told.
    entries: Option<Arc<AtomicBool>>,
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

    /// Work over entries, whose number is told once the file's structure has been looked at.
    pub(crate) fn over_entries() -> Self {
        let progress = Self::new(
            ProgressBar::with_draw_target(None, target()),
            "{spinner} looking at the structure  {elapsed}",
        );
        Self { entries: Some(Arc::new(AtomicBool::new(false))), ..progress }
    }

    /// So many entries are done.
    pub(crate) fn reached(&self, entries: u64, entries_total: u64) {
        let is_first = |seen: &Arc<AtomicBool>| !seen.swap(true, Ordering::Relaxed);
        if self.entries.as_ref().is_some_and(is_first) {
            self.bar.set_style(style(
                "{bar:32} {percent:>3}%  {position} of {total} entries  {rate}  {msg}  {eta} left",
            ));
        }
        self.bar.set_length(entries_total);
        self.bar.set_position(entries);
    }

    fn new(bar: ProgressBar, template: &str) -> Self {
        bar.set_style(style(template));
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self { bar: bar.with_finish(ProgressFinish::AndClear), entries: None }
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

fn style(template: &str) -> ProgressStyle {
    let count = |number: u64, out: &mut dyn std::fmt::Write| {
        // An error is the screen's, which draws again soon.
        let _ = out.write_str(&grouped(number));
    };
    ProgressStyle::with_template(template)
        .expect("the templates are well formed")
        .with_key("position", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            count(state.pos(), out);
        })
        .with_key("total", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            count(state.len().unwrap_or(0), out);
        })
        .with_key("rate", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            count(state.per_sec() as u64, out);
            let _ = out.write_str("/s");
        })
        .progress_chars("━╸─")
}

fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND)
}
