//! The command line: names and options as CLI.md fixes them. Man pages and completions come from
//! these definitions too.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use eventstore::index::IndexKind;
use eventstore::limits::THREADS_MAX;
use eventstore::retention::Keep;
use eventstore::store::BackendKind;
use globset::{Glob, GlobMatcher};

use crate::bench::{Bench, Fill};
use crate::time;

/// Operates the runs of an event store: captures, lists, reads, checks and repairs them.
#[derive(Parser)]
#[command(name = "eventstore", version, disable_help_subcommand = true, after_help = STATUSES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const STATUSES: &str = "\
Exit status:
  0  done
  1  it ran and the data is at fault: findings, a damaged file, a quarantined run, a bad line,
     not found
  2  it could not run: usage; a missing, empty, foreign, future-format, locked or unsealed file;
     time-out

RUN is the path of a run's file. With --json every command prints one JSON object a line.";

#[derive(Subcommand)]
pub(crate) enum Command {
    Ingest(Ingest),
    Runs(Runs),
    Dump(Dump),
    Tail(Tail),
    Get(Get),
    Lookup(Lookup),
    Verify(Verify),
    Recover(Recover),
    Salvage(Salvage),
    Convert(Convert),
    Retention(Retention),
    Bench(Bench),
    #[command(hide = true)]
    BenchFill(Fill),
    #[command(hide = true)]
    Inspect(Inspect),
    #[command(hide = true)]
    Generate(Generate),
}

/// Captures JSON Lines into a new run and seals it `Ended`.
///
/// A line is an object with `ts`, `topic`, `type` and `payload`, and optionally `ts_recv`,
/// `client_order_id`, `venue_order_id`, `correlation_id`, `causation_id` and `payload_encoding`
/// (`text`, `hex`, `base64`); or what `dump --json` prints. Unknown keys are ignored.
///
/// A bad line stops the ingest: everything before it is durable and the run is sealed. SIGINT
/// leaves the run `Running`, for `recover` to seal.
#[derive(Args)]
pub(crate) struct Ingest {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Name of the new run [default: <unix seconds>-<8 random characters>]
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: Option<String>,
    /// How the run is stored
    #[arg(long, value_enum, default_value_t = Backend::Redb)]
    pub(crate) backend: Backend,
    /// Prints the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// JSON Lines, zstd-compressed if the name ends in `.zst`; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// Where an instance's runs lie.
#[derive(Args)]
pub(crate) struct Place {
    /// The folder that holds a folder for each instance
    #[arg(long, value_name = "DIR")]
    pub(crate) base: PathBuf,
    /// The trading instance
    #[arg(long, value_name = "ID")]
    pub(crate) instance: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Backend {
    /// One file a run
    Redb,
    /// One directory a run: a commit is one write and one flush
    Log,
}

impl Backend {
    pub(crate) fn kind(self) -> BackendKind {
        match self {
            Self::Redb => BackendKind::Redb,
            Self::Log => BackendKind::Log,
        }
    }
}

/// Lists the runs below a folder; unreadable files with the reason.
#[derive(Args)]
pub(crate) struct Runs {
    /// The folder that holds a folder for each instance
    #[arg(long, value_name = "DIR")]
    pub(crate) base: PathBuf,
    /// Only this instance [default: all]
    #[arg(long, value_name = "ID")]
    pub(crate) instance: Option<String>,
    /// Prints one JSON object a run
    #[arg(long)]
    pub(crate) json: bool,
}

/// Prints a sealed run: manifest, anchor, entries.
///
/// Filters combine. The first bad row ends the dump, after all good ones before it.
#[derive(Args)]
pub(crate) struct Dump {
    /// The run's file
    pub(crate) run: PathBuf,
    /// First sequence number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) from: u64,
    /// Last sequence number [default: the end]
    #[arg(long, value_name = "N")]
    pub(crate) to: Option<u64>,
    /// Entries with `ts_init` at or after T: nanoseconds, or a UTC time like 2023-11-14T22:13:20
    #[arg(long, value_name = "T", value_parser = time::parse)]
    pub(crate) since: Option<u64>,
    /// Entries with `ts_init` at or before T
    #[arg(long, value_name = "T", value_parser = time::parse)]
    pub(crate) until: Option<u64>,
    /// Entries whose topic matches, as in 'orders.*'
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    pub(crate) topic: Option<GlobMatcher>,
    /// Entries whose payload type matches
    #[arg(long = "type", value_name = "GLOB", value_parser = glob)]
    pub(crate) payload_type: Option<GlobMatcher>,
    /// Last entry first
    #[arg(long)]
    pub(crate) reverse: bool,
    /// Prints one JSON object a line, which `ingest` reads
    #[arg(long)]
    pub(crate) json: bool,
}

/// Prints a run's entries as they come, up to its seal.
///
/// What `dump` prints, for a run of the log backend that another process is writing; the writer
/// notices nothing. Ends with status 0 once the run is sealed, with JSON after a last line that is
/// the sealed manifest, and when interrupted; with 2 when the writer is gone without sealing it.
#[derive(Args)]
pub(crate) struct Tail {
    /// The run's directory
    pub(crate) run: PathBuf,
    /// First sequence number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) from: u64,
    /// Prints one JSON object a line, which `ingest` reads
    #[arg(long)]
    pub(crate) json: bool,
}

fn glob(pattern: &str) -> Result<GlobMatcher, String> {
    Glob::new(pattern).map(|glob| glob.compile_matcher()).map_err(|error| error.kind().to_string())
}

/// Prints one entry.
#[derive(Args)]
pub(crate) struct Get {
    /// The run's file
    pub(crate) run: PathBuf,
    /// The entry's sequence number
    pub(crate) seq: u64,
    /// Prints the entry as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Finds the first entry that was captured with a key, and prints it.
#[derive(Args)]
pub(crate) struct Lookup {
    /// The run's file
    pub(crate) run: PathBuf,
    /// Which index
    #[arg(value_enum)]
    pub(crate) index: Index,
    /// The order id
    pub(crate) key: String,
    /// Prints the entry as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Index {
    /// The id that this side gave an order
    Client,
    /// The id that the venue gave it
    Venue,
}

impl Index {
    pub(crate) fn kind(self) -> IndexKind {
        match self {
            Self::Client => IndexKind::CLIENT_ORDER_ID,
            Self::Venue => IndexKind::VENUE_ORDER_ID,
        }
    }
}

/// Reads a sealed run whole and reports everything that is wrong with it.
///
/// The file is never written. It is read in a child process with limits on memory and time.
#[derive(Args)]
pub(crate) struct Verify {
    /// The run's file
    pub(crate) run: PathBuf,
    /// Gives up after so many seconds [default: 60, and one more for every 4 MiB of the file]
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: Option<u64>,
    /// Reads with so many threads; 0 is as many as there are processors for them
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = threads())]
    pub(crate) threads: u64,
    /// Prints the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn threads() -> RangedU64ValueParser {
    clap::value_parser!(u64).range(..=THREADS_MAX as u64)
}

/// Seals the runs of an instance that their writers left, and names the newest recovered one.
///
/// Refused while a writer lives. Runs again at any time: what is done stays done.
#[derive(Args)]
pub(crate) struct Recover {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Says what would be done; changes nothing and does not lock the instance
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Prints one JSON object a run, then the newest recovered run as a parent
    #[arg(long)]
    pub(crate) json: bool,
}

/// Copies the good entries of a quarantined or damaged run into a new one.
///
/// The new run numbers them anew, names the old one as parent and is sealed `CrashedRecovered`.
/// Lifecycle entries are not copied. What was lost is listed.
#[derive(Args)]
pub(crate) struct Salvage {
    /// The damaged run's file
    pub(crate) run: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Name of the new run [default: <unix seconds>-<8 random characters>]
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: Option<String>,
    /// Prints the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Copies a sealed run into a run of another backend: the same entries, hashes, keys and digest.
///
/// The original is verified before; the copy is compared with it row by row and verified, and only
/// then gets its name, `DIR/<instance>/<run>`. A damaged run is refused: salvage it. A run of
/// another writer, which records no key lists, gets its keys from its index rows.
#[derive(Args)]
pub(crate) struct Convert {
    /// The run's file or directory
    pub(crate) run: PathBuf,
    /// How the copy is stored; the original's own backend makes a plain copy
    #[arg(long, value_enum, value_name = "BACKEND")]
    pub(crate) to: Backend,
    /// The folder that is to hold the copy, in a folder for its instance; not the original's own
    #[arg(long, value_name = "DIR")]
    pub(crate) base: PathBuf,
    /// Prints the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Says which sealed runs a retention rule keeps, and deletes the others when told to.
///
/// Every rule keeps at least one run that can be restored from.
#[derive(Args)]
pub(crate) struct Retention {
    #[command(flatten)]
    pub(crate) place: Place,
    /// `full` keeps all, `last:N` the newest N, `anchored` what the newest restore point needs
    #[arg(long, value_name = "RULE", value_parser = keep)]
    pub(crate) keep: Keep,
    /// Deletes what the rule does not keep
    #[arg(long)]
    pub(crate) apply: bool,
    /// Prints one JSON object a run
    #[arg(long)]
    pub(crate) json: bool,
}

fn keep(text: &str) -> Result<Keep, String> {
    match text.split_once(':') {
        None if text == "full" => Ok(Keep::Full),
        None if text == "anchored" => Ok(Keep::Anchored),
        Some(("last", count)) => match count.parse() {
            Ok(count) if count > 0 => Ok(Keep::Last(count)),
            _ => Err(format!("last:{count} keeps no runs, expected last:1 or more")),
        },
        _ => Err("expected full, last:N or anchored".to_owned()),
    }
}

/// Verifies for `verify`, in a process of its own.
#[derive(Args)]
pub(crate) struct Inspect {
    #[arg(long, default_value_t = 0)]
    pub(crate) threads: u64,
    pub(crate) run: PathBuf,
}

/// Writes the man pages and shell completions, for packaging.
#[derive(Args)]
pub(crate) struct Generate {
    /// Folder for the man pages
    #[arg(long, value_name = "DIR")]
    pub(crate) man: Option<PathBuf>,
    /// Folder for the completions of bash, elvish, fish, PowerShell and zsh
    #[arg(long, value_name = "DIR")]
    pub(crate) completions: Option<PathBuf>,
}
