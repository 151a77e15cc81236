//! What the committed header says about the interface: its version and its functions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use crate::run::root;

/// A version of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

/// The interface as the header has it.
#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) version: Version,
    /// Functions by the version that brought them.
    functions: BTreeMap<Version, Vec<String>>,
}

impl Interface {
    pub(crate) fn read() -> Result<Self, String> {
        let path = root().join("include/eventstore.h");
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text).map_err(|reason| format!("{}: {reason}", path.display()))
    }

    fn parse(header: &str) -> Result<Self, String> {
        let number = header
            .split_once("#define ES_ABI_VERSION ")
            .and_then(|(_, rest)| rest.split('u').next()?.parse::<u32>().ok())
            .ok_or("no ES_ABI_VERSION")?;
        let mut functions: BTreeMap<Version, Vec<String>> = BTreeMap::new();
        let mut parts = header.split("\nES_API\n");
        let mut comment = parts.next().unwrap_or_default();
        for part in parts {
            let (name, since) = function(comment, part)?;
            functions.entry(since).or_default().push(name);
            comment = part;
        }
        let version = Version { major: number >> 16, minor: number & 0xffff };
        match functions.keys().next_back() {
            Some(last) if *last <= version => Ok(Self { version, functions }),
            _ => Err(format!("no functions, or some newer than {version:?}")),
        }
    }

    /// Every function.
    pub(crate) fn function_names(&self) -> impl Iterator<Item = &str> {
        self.functions.values().flatten().map(String::as_str)
    }

    /// A linker's version script: each function under the version that brought it, so that a
    /// program which needs a newer library is told so when it starts; nothing else exported.
    pub(crate) fn version_script(&self) -> String {
        let mut script = String::new();
        let mut before = String::new();
        for (since, names) in &self.functions {
            let node = format!("ES_{}.{}", since.major, since.minor);
            let locals = if before.is_empty() { " local: *;" } else { "" };
            let names = names.join("; ");
            writeln!(script, "{node} {{ global: {names};{locals} }}{before};").expect("a string");
            before = format!(" {node}");
        }
        script
    }
}

/// The name of the function whose declaration starts `declaration`, and its version, which is the
/// last word of the comment before it.
fn function(comment: &str, declaration: &str) -> Result<(String, Version), String> {
    let head = declaration.split('(').next().unwrap_or_default();
    let name = head.rsplit([' ', '*', '\n']).next().unwrap_or_default().to_owned();
    let since = comment
        .rsplit_once("Since ")
        .and_then(|(_, rest)| rest.split_once(".\n")?.0.split_once('.'))
        .and_then(|(major, minor)| {
            Some(Version { major: major.parse().ok()?, minor: minor.parse().ok()? })
        })
        .ok_or_else(|| format!("{name}: no \"Since X.Y.\" above it"))?;
    Ok((name, since))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "#define ES_ABI_VERSION 2u\n\
        /** Old. Since 0.1.\n */\nES_API\nES_MUST_USE\nes_status es_old(void);\n\
        /** New. Since 0.2.\n */\nES_API\nconst char *es_new(void);\n";

    /// Each function stands in the node of its version, and nodes build on one another.
    #[test]
    fn version_script_has_a_node_a_version() {
        let interface = Interface::parse(HEADER).unwrap();
        assert_eq!(interface.version, Version { major: 0, minor: 2 });
        let script = interface.version_script();
        let expected =
            "ES_0.1 { global: es_old; local: *; };\nES_0.2 { global: es_new; } ES_0.1;\n";
        assert_eq!(script, expected);
    }

    /// A function without a version, or of a version to come, is refused.
    #[test]
    fn functions_without_a_place_are_refused() {
        assert!(Interface::parse(&HEADER.replace("Since 0.2.", "")).is_err());
        assert!(Interface::parse(&HEADER.replace("VERSION 2u", "VERSION 1u")).is_err());
    }
}
