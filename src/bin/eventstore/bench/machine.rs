//! On what was measured, and what else it did meanwhile: printed with every table.
//!
//! Linux tells it in text files; what is not told is left out, never guessed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What was built in, as the lock file has it.
const LOCK_FILE: &str = include_str!("../../../../Cargo.lock");
/// The crates that the numbers depend on.
const CRATES: [&str; 7] =
    ["blake3", "crc32c", "redb", "hdrhistogram", "rusqlite", "libsqlite3-sys", "heed"];

/// Load of a machine that is busy with something else.
const QUIET_LOAD: f64 = 0.5;
/// Processor time that the host may keep to itself.
const QUIET_STEAL: f64 = 0.01;
/// Time, in percent, in which some task waited for a processor or for the disk.
const QUIET_PRESSURE: f64 = 5.0;

/// What the machine is, taken before the first measurement.
pub(crate) struct Machine {
    facts: Vec<(&'static str, String)>,
    load: Option<f64>,
    /// The larger of the processor's and the disk's.
    pressure: Option<f64>,
    ticks: Option<Ticks>,
}

/// Processor time since the machine started.
#[derive(Clone, Copy)]
struct Ticks {
    all: u64,
    stolen: u64,
}

impl Machine {
    /// Looks at the machine, and at what `folder` lies on.
    pub(crate) fn look(folder: &Path) -> Self {
        let load = read("/proc/loadavg");
        let first_load = load.as_deref().and_then(|text| text.split(' ').next()?.parse().ok());
        let pressures = ["cpu", "io"].map(pressure);
        let largest = pressures.iter().flatten().copied().reduce(f64::max);
        let told_pressure = |at: usize| pressures[at].map(|share| format!("{share:.1} %"));
        let facts = [
            ("version", Some(format!("eventstore {}", env!("CARGO_PKG_VERSION")))),
            ("build", Some(if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned())),
            ("processor", processor()),
            ("kernel", read("/proc/sys/kernel/osrelease")),
            ("mount", mount(folder)),
            ("journal", journal(folder)),
            ("device", device(folder)),
            ("crates", Some(crates())),
            ("load before", load),
            ("waited for a processor before", told_pressure(0)),
            ("waited for a disk before", told_pressure(1)),
        ];
        let told = facts.into_iter().filter_map(|(name, fact)| Some((name, fact?)));
        Self { facts: told.collect(), load: first_load, pressure: largest, ticks: ticks() }
    }

    /// What there is to know, and whether to trust numbers from it; called at the end.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = self.facts.clone();
        lines.extend(read("/proc/loadavg").map(|load| ("load after", load)));
        let stolen = self.ticks.zip(ticks()).map(|(before, after)| {
            let all = after.all.saturating_sub(before.all).max(1);
            after.stolen.saturating_sub(before.stolen) as f64 / all as f64
        });
        lines.extend(stolen.map(|share| ("stolen by the host", format!("{:.1} %", share * 100.0))));
        let reasons = [
            (self.load.is_some_and(|load| load > QUIET_LOAD), "the load before"),
            (self.pressure.is_some_and(|share| share > QUIET_PRESSURE), "who waited before"),
            (stolen.is_some_and(|share| share > QUIET_STEAL), "what the host kept"),
            (cfg!(debug_assertions), "this is a debug build"),
        ];
        let reasons: Vec<&str> =
            reasons.iter().filter(|(is_so, _)| *is_so).map(|(_, reason)| *reason).collect();
        let verdict = if reasons.is_empty() {
            "quiet".to_owned()
        } else {
            format!("NOISY, these numbers are no measurement: {}", reasons.join(", "))
        };
        lines.push(("the run was", verdict));
        lines
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Name and number of the processors, and the vector sets that hashing picks from.
fn processor() -> Option<String> {
    let text = read("/proc/cpuinfo")?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim())
    };
    let count = text.lines().filter(|line| line.starts_with("processor")).count();
    let flags = field("flags").unwrap_or_default();
    let vectors = ["sse4_1", "avx2", "avx512f", "avx512vl"];
    let vectors = vectors.into_iter().filter(|name| flags.split(' ').any(|flag| flag == *name));
    let vectors: Vec<&str> = vectors.collect();
    Some(format!("{count} x {}, {}", field("model name")?, vectors.join(" ")))
}

/// The mount that the folder lies on: its type and options.
fn mount(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let text = read("/proc/self/mountinfo")?;
    let found = text.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let place = left.split(' ').nth(4)?;
        folder.starts_with(place).then_some((place, left.split(' ').nth(5)?, right))
    });
    // The longest place is the nearest; of equal ones the last lies on top.
    let (place, options, right) = found.max_by_key(|(place, ..)| place.len())?;
    let mut kind = right.split(' ');
    let (name, source) = (kind.next()?, kind.next()?);
    Some(format!("{place}: {name} on {source}, {options},{}", kind.next().unwrap_or_default()))
}

/// The share of the last ten seconds, in percent, in which some task waited for this.
fn pressure(resource: &str) -> Option<f64> {
    let text = read(&format!("/proc/pressure/{resource}"))?;
    let some = text.lines().find(|line| line.starts_with("some "))?;
    some.split(' ').find_map(|word| word.strip_prefix("avg10="))?.parse().ok()
}

/// Whether an ext4 keeps a journal, which a flush then may wait for.
fn journal(folder: &Path) -> Option<String> {
    let number = fs::metadata(folder).ok()?.dev();
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let link = fs::read_link(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    let device = link.file_name()?.to_str()?.to_owned();
    if !Path::new("/proc/fs/ext4").join(&device).exists() {
        return None;
    }
    let mut kept = fs::read_dir("/proc/fs/jbd2").into_iter().flatten().flatten();
    let prefix = format!("{device}-");
    let has = kept.any(|item| item.file_name().to_string_lossy().starts_with(&prefix));
    Some(if has { "yes" } else { "no" }.to_owned())
}

/// The crates that the numbers depend on, with their versions.
fn crates() -> String {
    let lines: Vec<&str> = LOCK_FILE.lines().collect();
    let version = |name: &str| {
        let line = format!("name = \"{name}\"");
        let at = lines.iter().position(|found| *found == line)?;
        lines.get(at + 1)?.strip_prefix("version = \"")?.strip_suffix('"')
    };
    let found = CRATES.iter().filter_map(|name| Some(format!("{name} {}", version(name)?)));
    found.collect::<Vec<_>>().join(", ")
}

/// How the device says that it caches and flushes.
fn device(folder: &Path) -> Option<String> {
    let number = fs::metadata(folder).ok()?.dev();
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let queue = format!("/sys/dev/block/{major}:{minor}/queue");
    let facts = ["write_cache", "fua", "scheduler"].map(|name| {
        let fact = read(&format!("{queue}/{name}"))?;
        Some(format!("{name} {fact}"))
    });
    let told: Vec<String> = facts.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn ticks() -> Option<Ticks> {
    let text = read("/proc/stat")?;
    let numbers = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; what follows is counted in these already.
    Some(Ticks { all: numbers.iter().take(8).sum(), stolen: *numbers.get(7)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux tells all of it: the folder's mount is found, and no fact is empty.
    #[test]
    fn facts_of_this_machine_are_found() {
        let machine = Machine::look(&std::env::temp_dir());
        let names: Vec<&str> = machine.lines().iter().map(|(name, _)| *name).collect();
        for name in
            ["version", "kernel", "mount", "crates", "load before", "load after", "the run was"]
        {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
        assert!(CRATES.iter().all(|name| crates().contains(name)), "{}", crates());
    }
}
