//! The command line of `bench`, and what it asks for once read.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

use super::backends::{BACKENDS, Backend};
use super::goals::NUMBERS;

/// Measures the store through its exported C functions, beside the physical limit.
///
/// Every row stands beside what the machine allows for the same bytes, measured in turn with it in
/// the same run: pwrite and fdatasync into a zero-filled file, BLAKE3 one lane at a time, memcpy,
/// the same loop without the call. A ratio is the median over pairs; behind it stands the
/// interval that holds the true median in 19 of 20 runs. Builds with the feature `peers` measure
/// SQLite, LMDB and plain redb in the same turns. Every goal that a backend was given gets a
/// verdict, and a reason where it is missed or could not be measured.
#[derive(Args)]
pub(crate) struct Bench {
    /// What to measure
    #[arg(value_enum, default_value_t = Subject::All)]
    pub(crate) subject: Subject,
    /// Only this backend; may be given more than once [default: all]
    #[arg(long, value_name = "BACKEND", value_parser = backend_names())]
    pub(crate) backend: Vec<String>,
    /// Only what these goals ask for: P1,P12
    #[arg(long, value_name = "GOAL", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(NUMBERS))]
    pub(crate) only: Vec<String>,
    /// Entries of a run that is read; of one that is written, at most
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    pub(crate) entries: u64,
    /// Entries of the large run, beside which opening a hundredth of `--entries` is held, and memory
    /// after `--entries` [default: ten times --entries]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(100..=1_000_000_000))]
    pub(crate) large: Option<u64>,
    /// Entries of a commit [default: append 1, 10, 100 and 1000; stream 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) batch: Option<u32>,
    /// Bytes of an entry's payload
    #[arg(long, value_name = "BYTES", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1_048_576))]
    pub(crate) payload: u32,
    /// Measures P1, P3, P5 and P10 once more with topics, types, payloads and keys of captures: JSON
    /// Lines as for `ingest`
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) capture: Vec<PathBuf>,
    /// Where runs are written meanwhile; removed afterwards [default: the temporary folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// How many pairs a ratio is the median of
    #[arg(long, value_name = "N", default_value_t = 31)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) pairs: u32,
    /// How long one side of a pair takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 160)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub(crate) slice: u64,
    /// How many submits a rate's percentiles are made of, at most
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) samples: u64,
    /// Also writes all of it as Markdown, its rows as JSON and its plots into a folder beside it
    #[arg(long, value_name = "FILE.md", value_parser = report_path)]
    pub(crate) report: Option<PathBuf>,
    /// Prints one JSON object a row
    #[arg(long)]
    pub(crate) json: bool,
}

/// The document has a name of its own, of which its folder's is made.
fn report_path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_document = path.extension().is_some_and(|extension| extension == "md");
    if is_document { Ok(path) } else { Err("must end with .md".to_owned()) }
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// Durable appends, one batch after another; how long one entry takes to be acknowledged; the
    /// flushes of a commit
    Append,
    /// Submits without waiting, committed in groups; bytes on disk afterwards
    Stream,
    /// Single submits at fixed rates and in bursts; each wait policy's latency and idle processor
    /// time; the system calls of a submit
    Submit,
    /// A whole run forward, every hash checked
    Scan,
    /// One entry by its seq
    Get,
    /// The first seq of an order id
    Lookup,
    /// Opening sealed runs, and runs whose writer was killed, small and large; the memory that
    /// filling them took
    Open,
    /// Verifying a sealed run
    Verify,
    /// All of these
    All,
}

impl Subject {
    /// Whether a measurement of `other` is asked for.
    pub(crate) fn includes(self, other: Self) -> bool {
        self == Self::All || self == other
    }
}

/// Fills a run for `bench`, in a process of its own that can be killed.
#[derive(Args)]
pub(crate) struct Fill {
    #[arg(long)]
    pub(crate) base: PathBuf,
    #[arg(long)]
    pub(crate) run_id: String,
    #[arg(long, value_parser = backend_names())]
    pub(crate) backend: String,
    #[arg(long)]
    pub(crate) entries: u64,
    #[arg(long)]
    pub(crate) payload: u32,
    #[arg(long, num_args = 1..)]
    pub(crate) capture: Vec<PathBuf>,
    /// Looks at the memory in use after so many of them, at least a turn through its pool
    #[arg(long, default_value_t = u64::MAX)]
    pub(crate) early: u64,
    /// `ES_DURABILITY_*`; 0: the default
    #[arg(long, default_value_t = 0)]
    pub(crate) durability: u32,
    /// How the entries are handed over
    #[arg(long, value_enum, default_value_t = Way::Batches)]
    pub(crate) way: Way,
    /// Dies by SIGKILL when all is acknowledged, instead of sealing the run
    #[arg(long)]
    pub(crate) killed: bool,
}

/// How a filling process hands entries over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Batches, without waiting
    Batches,
    /// One entry after another, each durable before the next
    Appends,
    /// One entry after another, without waiting, between two calls of getppid
    Submits,
}

impl Bench {
    /// The backends that are measured, in the order of the table.
    pub(crate) fn backends(&self) -> Vec<&'static Backend> {
        let is_asked = |backend: &&Backend| {
            self.backend.is_empty() || self.backend.iter().any(|name| name == backend.name)
        };
        BACKENDS.iter().filter(is_asked).collect()
    }

    /// Entries of the large run.
    pub(crate) fn large(&self) -> u64 {
        self.large.unwrap_or(10 * self.entries)
    }

    /// Whether one of these goals is asked for.
    pub(crate) fn asks_for(&self, goals: &[&str]) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| goals.contains(&&**only))
    }

    /// How long one side of a pair takes.
    pub(crate) fn slice(&self) -> Duration {
        Duration::from_millis(self.slice)
    }
}

fn backend_names() -> PossibleValuesParser {
    PossibleValuesParser::new(BACKENDS.iter().map(|backend| backend.name))
}
