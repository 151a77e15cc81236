//! Reads what `strace -f -y` wrote: finished calls, in the order in which they ended.

/// One finished call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// As strace writes them, descriptors with their paths.
    pub(crate) arguments: String,
    pub(crate) result: String,
    /// The line where it began; it ended at its own place in the list.
    pub(crate) began: usize,
    pub(crate) ended: usize,
}

impl Call {
    /// The path of its first descriptor.
    pub(crate) fn path(&self) -> &str {
        path_in(self.arguments.split(',').next().unwrap_or_default())
    }

    /// The path that an `openat`, `mkdirat` or the old name of a `renameat2` stands for.
    pub(crate) fn named(&self) -> String {
        let name = self.arguments.split('"').nth(1).unwrap_or_default();
        if name.starts_with('/') { name.to_owned() } else { format!("{}/{name}", self.path()) }
    }

    pub(crate) fn succeeded(&self) -> bool {
        !self.result.starts_with('-')
    }

    /// Whether strace made it fail or wait.
    pub(crate) fn was_injected(&self) -> bool {
        self.result.contains("(INJECTED)") || self.result.contains("(DELAYED)")
    }

    /// Whether it may change the file of a run, or flush it.
    pub(crate) fn is_for_run_file(&self) -> bool {
        let changes = ["pwritev", "pwrite64", "fallocate", "ftruncate", "fdatasync"];
        let is_of_run = [".redb", ".eslog"].iter().any(|ending| self.path().contains(ending));
        is_of_run && changes.contains(&self.name.as_str())
    }

    /// What a role said with it.
    pub(crate) fn said(&self) -> Option<&str> {
        let is_said = self.name == "write" && self.arguments.starts_with("1<");
        self.arguments.split('"').nth(1).filter(|_| is_said)?.strip_suffix("\\n")
    }
}

fn path_in(descriptor: &str) -> &str {
    let inside = descriptor.split_once('<').map_or("", |(_, rest)| rest);
    inside.trim_end_matches(['>', ')'])
}

/// The calls of a record.
pub(crate) fn calls(record: &str) -> Vec<Call> {
    let mut unfinished: Vec<(&str, &str, usize)> = Vec::new();
    let mut calls = Vec::new();
    for (line_number, line) in record.lines().enumerate() {
        let Some((process, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.push((process, begun, line_number));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let begun = unfinished.iter().position(|(of, ..)| *of == process);
            let (_, begun, began) = unfinished.remove(begun.expect("it began"));
            let after = resumed.split_once(" resumed>").expect("of strace's form").1;
            calls.extend(call(&format!("{begun}{after}"), began, line_number));
        } else {
            calls.extend(call(rest, line_number, line_number));
        }
    }
    calls
}

fn call(line: &str, began: usize, ended: usize) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    let [name, arguments, result] = [name, arguments, result].map(str::to_owned);
    Some(Call { name, arguments, result, began, ended })
}
