//! On what was measured, and what else it did meanwhile: printed with every table.
//!
//! Linux tells it in text files; what is not told is left out, never guessed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Load of a machine that is busy with something else.
const QUIET_LOAD: f64 = 0.5;
/// Processor time that the host may keep to itself.
const QUIET_STEAL: f64 = 0.01;

/// What the machine is, taken before the first measurement.
pub(crate) struct Machine {
    facts: Vec<(&'static str, String)>,
    load: Option<f64>,
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
        let facts = [
            ("version", Some(format!("eventstore {}", env!("CARGO_PKG_VERSION")))),
            ("build", Some(if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned())),
            ("processor", processor()),
            ("kernel", read("/proc/sys/kernel/osrelease")),
            ("mount", mount(folder)),
            ("device", device(folder)),
            ("load before", load),
        ];
        let told = facts.into_iter().filter_map(|(name, fact)| Some((name, fact?)));
        Self { facts: told.collect(), load: first_load, ticks: ticks() }
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
        let is_loaded = self.load.is_some_and(|load| load > QUIET_LOAD);
        let is_robbed = stolen.is_some_and(|share| share > QUIET_STEAL);
        if is_loaded || is_robbed || cfg!(debug_assertions) {
            let text = "these numbers are no measurement: the machine was busy with something \
                        else, or this is a debug build";
            lines.push(("not valid", text.to_owned()));
        }
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
        for name in ["version", "kernel", "mount", "load before", "load after"] {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
    }
}
