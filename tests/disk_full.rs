//! A full disk, a full quota of file size: the run halts as `Disk`, the host lives, everything
//! acknowledged is readable, and with the disk still full the run can be sealed.
//!
//! Two ways to fill it: a small tmpfs, for which the test must be root, and `RLIMIT_FSIZE`, which
//! works in any container and would by itself end a host that does not expect its signal.

mod common;

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use common::flow::{assert_is_flow, mix, with_drafts};
use common::process::{self, Finished, is_campaign, say, told, told_number};
use common::sample::{self, INSTANCE, Keyed};
use common::shared;
use common::temporary::TemporaryFolder;
use eventstore::error::EventStoreError;
use eventstore::manifest::RunStatus;
use eventstore::store::{
    BackendKind, OpenOptions, ReaderOptions, open_crashed_run, open_run, open_sealed_run,
};
use eventstore::writer::{CloseOptions, Phase, SubmitOptions};

common::process::child_roles!(play);

const RUN: &str = "run";

fn play(role: &str) {
    limit_file_size(told_number("ES_FILE_BYTES_MAX"));
    match role {
        "fill" => fill(),
        "seal" => seal(),
        other => panic!("no role is called {other}"),
    }
}

/// For this process, for good; 0 leaves it as it is. The signal keeps its default action.
fn limit_file_size(bytes_max: u64) {
    if bytes_max > 0 {
        let limit = libc::rlimit { rlim_cur: bytes_max, rlim_max: bytes_max };
        // SAFETY: `limit` is readable during the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
    }
}

/// Appends the flow in batches of different sizes until the run halts.
fn fill() {
    let base = told("ES_BASE");
    let salt = told_number("ES_SALT");
    let manifest = sample::full_manifest(RUN);
    let backend = if told("ES_BACKEND") == "log" { BackendKind::Log } else { BackendKind::Redb };
    let options = OpenOptions { backend, ..OpenOptions::default() };
    let run = open_run(Path::new(&base), &manifest, options).expect("a new run");
    let mut next_seq = 1;
    let failure = loop {
        let count = 1 + mix(next_seq + salt) % told_number("ES_BATCH_MAX");
        let items: Vec<Keyed> = (next_seq..next_seq + count).map(sample::keyed).collect();
        match with_drafts(&items, |drafts| run.append_batch(drafts, next_seq)) {
            Ok(appended) => next_seq = appended.high_watermark + 1,
            Err(failure) => break failure,
        }
    };
    let acknowledged = next_seq - 1;
    say(&format!("ack {acknowledged}"));
    let EventStoreError::Halted { reason } = &failure.error else { panic!("{failure:?}") };
    let errno = reason.fault().and_then(|fault| fault.errno).expect("of the system");
    assert!(matches!(**reason, EventStoreError::Disk(_)), "{reason:?}");
    assert_eq!(run.state().phase, Phase::Halted);
    let refused =
        with_drafts(&[sample::keyed(1)], |drafts| run.submit(&drafts[0], SubmitOptions::default()));
    assert!(matches!(refused, Err(EventStoreError::Halted { .. })), "{refused:?}");
    assert_eq!(assert_is_flow(&*run.view().expect("a view")), acknowledged);
    let report = run.close(&CloseOptions::default()).expect("closing a halted run");
    assert_eq!((report.status, report.high_watermark), (RunStatus::Running, acknowledged));
    assert_eq!(
        assert_is_flow(&*run.view().expect("a view")),
        acknowledged,
        "readable after the close too"
    );
    say(&format!("halted {errno}"));
}

/// Opens what is left as crashed and seals it, on the same full disk and under the same limit.
fn seal() {
    let base = told("ES_BASE");
    let base = Path::new(&base);
    let options = ReaderOptions::default();
    let reader = open_crashed_run(base, INSTANCE, RUN, &options).expect("it opens");
    let found = assert_is_flow(reader.view());
    let report = reader.seal(RunStatus::CrashedRecovered).expect("a seal");
    assert_eq!(report.high_watermark, found);
    drop(reader);
    let ending = if told("ES_BACKEND") == "log" { "eslog" } else { "redb" };
    let path = base.join(INSTANCE).join(format!("{RUN}.{ending}"));
    let checked = ReaderOptions { check: true, ..options };
    let sealed = open_sealed_run(&path, &checked).expect("a sealed run opens");
    assert_eq!(assert_is_flow(sealed.view()), found);
    say(&format!("sealed {found}"));
}

/// How a disk is filled.
struct Filling<'a> {
    backend: &'static str,
    base: &'a Path,
    file_bytes_max: u64,
    batch_max: u64,
    salt: u64,
}

impl Filling<'_> {
    fn role(&self, role: &str) -> Finished {
        let mut command = process::command(role);
        command
            .env("ES_BASE", self.base)
            .env("ES_BACKEND", self.backend)
            .env("ES_FILE_BYTES_MAX", self.file_bytes_max.to_string())
            .env("ES_BATCH_MAX", self.batch_max.to_string())
            .env("ES_SALT", self.salt.to_string());
        Finished::of(command).expect_success()
    }

    /// Fills it, and seals the run with the disk still full; answers the errno of the halt.
    fn fill_and_seal(&self, meanwhile: impl FnOnce()) -> i32 {
        let filled = self.role("fill");
        let acknowledged = filled.last_number("ack").expect("said");
        meanwhile();
        let sealed = self.role("seal").last_number("sealed").expect("said");
        assert!(sealed >= acknowledged, "{acknowledged} was acknowledged, {sealed} is there");
        let errno = filled.said("halted").parse().expect("a number");
        eprintln!(
            "{}, batches of up to {}: halted with errno {errno}, {acknowledged} acknowledged, \
             {sealed} sealed",
            self.backend, self.batch_max
        );
        errno
    }
}

const MIB: u64 = 1 << 20;

const BACKENDS: [&str; 2] = ["redb", "log"];

/// Cases as different as the numbers: sizes of batches decide whether a growth, a small commit or
/// a large one meets the end first.
fn campaign(cases: u64) -> impl Iterator<Item = (u64, u64)> {
    let batch_max = |salt: u64| [5, 30, 400, 1_000][(mix(salt) % 4) as usize] + mix(salt + 1) % 30;
    (0..if is_campaign() { cases } else { 0 }).map(move |salt| (salt, batch_max(salt)))
}

#[test]
fn file_size_limit_halts_and_the_run_can_be_sealed_under_it() {
    let cases = [(1, 5), (2, 30), (3, 400), (4, 1_000)].into_iter().chain(campaign(200));
    for ((salt, batch_max), backend) in cases.flat_map(|case| BACKENDS.map(|name| (case, name))) {
        let folder = TemporaryFolder::new("fsize");
        let file_bytes_max = 3 * MIB + mix(salt) % (2 * MIB);
        let filling = Filling { backend, base: folder.path(), file_bytes_max, batch_max, salt };
        assert_eq!(filling.fill_and_seal(|| ()), libc::EFBIG);
    }
}

/// A limit that leaves no room for a run at all: the opening fails as `Disk`, and leaves no run.
#[test]
fn file_size_limit_below_a_run_fails_the_opening() {
    for backend in BACKENDS {
        let folder = TemporaryFolder::new("tiny");
        let mut command = process::command("fill");
        command.env("ES_BASE", folder.path()).env("ES_FILE_BYTES_MAX", "100000");
        command
            .env("ES_BACKEND", backend)
            .env("ES_BATCH_MAX", "1")
            .env("ES_SALT", "0")
            .stderr(std::process::Stdio::null());
        let finished = Finished::of(command);
        assert_eq!(finished.signal(), None, "no signal ended the host");
        assert!(!finished.status.success());
        let left: Vec<_> = fs::read_dir(folder.path().join(INSTANCE))
            .expect("the instance's directory")
            .map(|item| item.expect("an entry").file_name())
            .filter(|name| name != ".es.lock")
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A file system of its own, let go of at the end.
struct SmallDisk(TemporaryFolder);

impl SmallDisk {
    /// `None`, and said so, where this process may not mount.
    fn mount(bytes: u64) -> Option<Self> {
        let folder = TemporaryFolder::new("small-disk");
        let target = CString::new(folder.path().as_os_str().as_bytes()).expect("no NUL");
        let size = CString::new(format!("size={bytes}")).expect("no NUL");
        // SAFETY: all strings are NUL-terminated and outlive the call.
        let mounted = unsafe {
            let (kind, data) = (c"tmpfs".as_ptr(), size.as_ptr().cast());
            libc::mount(kind, target.as_ptr(), kind, 0, data)
        };
        if mounted != 0 {
            let reason = format!("no tmpfs: {}", std::io::Error::last_os_error());
            shared::not_run_without_tool("disk_full tmpfs", &reason);
            return None;
        }
        Some(Self(folder))
    }

    /// Takes every byte that is left.
    fn take_the_rest(&self) {
        let filler = self.0.path().join("filler");
        let mut bytes = Vec::new();
        for size in [1 << 20, 4096, 1] {
            loop {
                bytes.resize(bytes.len() + size, 7);
                if fs::write(&filler, &bytes).is_err() {
                    bytes.truncate(bytes.len() - size);
                    break;
                }
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let target = CString::new(self.0.path().as_os_str().as_bytes()).expect("no NUL");
        // SAFETY: the string is NUL-terminated; the mount is this test's own.
        unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
    }
}

/// Whatever is still free when the run halts is taken by somebody else before it is sealed.
#[test]
fn full_disk_halts_and_the_run_can_be_sealed_on_it() {
    let cases = [(5, 30), (6, 100), (7, 400), (8, 1_000)].into_iter().chain(campaign(200));
    for ((salt, batch_max), backend) in cases.flat_map(|case| BACKENDS.map(|name| (case, name))) {
        let Some(disk) = SmallDisk::mount(4 * MIB + mix(salt) % (3 * MIB)) else { return };
        let base = disk.0.path().join("base");
        let filling = Filling { backend, base: &base, file_bytes_max: 0, batch_max, salt };
        assert_eq!(filling.fill_and_seal(|| disk.take_the_rest()), libc::ENOSPC);
    }
}
