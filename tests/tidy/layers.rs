//! Which part of the crate may know which: dependencies point down only.

use crate::source::{SourceFile, words};

/// A part of the crate and what it may name besides itself.
struct Layer {
    name: &'static str,
    /// Module paths from the crate's root; what lies below them belongs to the layer too.
    modules: &'static [&'static str],
    may_name: &'static [&'static str],
}

/// From the ground up. A module belongs to the layer that names the longest part of its path.
const LAYERS: [Layer; 12] = [
    Layer { name: "ground", modules: &["planted"], may_name: &[] },
    Layer {
        name: "domain",
        modules: &[
            "error", "limits", "entry", "headers", "index", "manifest", "snapshot", "codec",
            "hash", "digest", "progress",
        ],
        may_name: &["ground"],
    },
    Layer { name: "platform", modules: &["platform"], may_name: &["ground", "domain"] },
    Layer { name: "contract", modules: &["backend"], may_name: &["ground", "domain"] },
    Layer {
        name: "disk",
        modules: &["backend::disk", "backend::os_disk"],
        may_name: &["ground", "domain", "platform"],
    },
    Layer { name: "memory backend", modules: &["backend::memory"], may_name: BELOW_BACKENDS },
    Layer { name: "redb backend", modules: &["backend::redb"], may_name: BELOW_BACKENDS },
    Layer { name: "log backend", modules: &["backend::log"], may_name: BELOW_BACKENDS },
    Layer { name: "middle", modules: &["writer", "reader"], may_name: BELOW_BACKENDS },
    Layer {
        name: "store",
        modules: &["store"],
        may_name: &[
            "ground",
            "domain",
            "platform",
            "contract",
            "memory backend",
            "redb backend",
            "log backend",
            "middle",
        ],
    },
    Layer {
        name: "operations",
        modules: &["catalogue", "verifier", "recovery", "salvage", "convert", "retention"],
        may_name: &["ground", "domain", "platform", "contract", "middle", "store"],
    },
    Layer {
        name: "ffi",
        modules: &["ffi"],
        may_name: &["ground", "domain", "platform", "contract", "middle", "store", "operations"],
    },
];

const BELOW_BACKENDS: &[&str] = &["ground", "domain", "platform", "disk", "contract"];

/// Names that climb, and modules that no layer claims.
pub(crate) fn upward_imports(file: &SourceFile) -> Vec<String> {
    let Some(module) = module_of(&file.path) else { return Vec::new() };
    let Some(own) = layer_of(&module) else {
        return vec![format!("{}:1: in no layer of tests/tidy/layers.rs: give it one", file.path)];
    };
    let mut findings = Vec::new();
    for (offset, path) in named_paths(&file.shipped_code(), &module) {
        let text = path.join("::");
        let reason = match layer_of(&path) {
            None => format!("{text} is in no layer: name a module, not the root's re-export"),
            Some(layer) if layer.name == own.name || own.may_name.contains(&layer.name) => continue,
            Some(layer) => format!("{text}: {} may not know {}", own.name, layer.name),
        };
        findings.push(file.finding(offset, &reason));
    }
    findings
}

fn layer_of(module: &[String]) -> Option<&'static Layer> {
    (1..=module.len().min(2)).rev().find_map(|length| {
        let path = module[..length].join("::");
        LAYERS.iter().find(|layer| layer.modules.contains(&path.as_str()))
    })
}

/// The module that a file is; none for the crate's root, which may name everything, for the
/// programs, which see the public interface alone, and for tests in a file of their own.
fn module_of(path: &str) -> Option<Vec<String>> {
    let inner = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    let outside = module.first().is_none_or(|first| first == "lib" || first == "bin");
    let is_test = module.iter().any(|part| part == "tests");
    (!outside && !is_test).then_some(module)
}

/// Every path that starts at `crate` or climbs with `super`, made absolute, and where it stands.
fn named_paths(code: &str, module: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut paths = Vec::new();
    for at in words(code, "crate") {
        if let Some(tree) = code[at..].strip_prefix("crate::") {
            paths.extend(expand(tree).into_iter().map(|path| (at, path)));
        }
    }
    for at in words(code, "super") {
        // The second of `super::super` is taken with the first.
        let Some(mut tree) = code[at..].strip_prefix("super::") else { continue };
        if code[..at].ends_with("super::") {
            continue;
        }
        let mut base = module[..module.len() - 1].to_vec();
        while let Some(rest) = tree.strip_prefix("super::") {
            base.pop();
            tree = rest;
        }
        // `pub(super)` and the like name nothing; the root's children do.
        for path in expand(tree) {
            let absolute = [base.clone(), path].concat();
            paths.push((at, absolute));
        }
    }
    paths
}

/// The paths of a use tree: `a::{b, c::d}` is `a::b` and `a::c::d`. Names of types and functions
/// stay at the end; a layer looks at the first two parts only.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim_start();
    if let Some(inside) = tree.strip_prefix('{') {
        return split_branches(inside).into_iter().flat_map(expand).collect();
    }
    let length = tree.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tree.len());
    let name = tree[..length].to_owned();
    let below = tree[length..].strip_prefix("::").map_or_else(Vec::new, expand);
    if name.is_empty() || name == "self" {
        return vec![Vec::new()];
    }
    if below.is_empty() {
        return vec![vec![name]];
    }
    below.into_iter().map(|path| [vec![name.clone()], path].concat()).collect()
}

/// The branches up to the brace that ends them.
fn split_branches(inside: &str) -> Vec<&str> {
    let mut branches = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => {
                branches.push(&inside[start..at]);
                break;
            }
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                branches.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    branches.retain(|branch| !branch.trim().is_empty());
    branches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        upward_imports(&SourceFile::new(path, text))
    }

    /// Each way of climbing that the issue forbids, in each spelling, is caught at its line.
    #[test]
    fn climbing_imports_are_caught() {
        for (path, text, reason) in [
            ("src/codec.rs", "use crate::writer::Run;", "domain may not know middle"),
            ("src/hash.rs", "use crate::backend::EventStore;", "domain may not know contract"),
            ("src/entry.rs", "fn f() { crate::ffi::x() }", "domain may not know ffi"),
            ("src/index.rs", "use crate::{error::Result, store::Run};", "may not know store"),
            ("src/backend.rs", "use crate::backend::memory::M;", "may not know memory backend"),
            ("src/backend/memory.rs", "use crate::writer::W;", "may not know middle"),
            ("src/backend/memory.rs", "use crate::store::S;", "may not know store"),
            ("src/backend/memory.rs", "use super::redb::R;", "may not know redb backend"),
            ("src/backend/redb/disk.rs", "use super::super::memory::M;", "memory backend"),
            ("src/backend/redb.rs", "use crate::ffi::status::Code;", "may not know ffi"),
            ("src/writer/drive.rs", "use crate::{\n backend::{Sealed, redb::R},\n};", "redb"),
            ("src/reader.rs", "use crate::backend::memory::M;", "middle may not know memory"),
            ("src/reader.rs", "use super::ffi::X;", "middle may not know ffi"),
            ("src/store.rs", "use crate::ffi::X;", "store may not know ffi"),
            ("src/ffi/run.rs", "use crate::backend::{self, redb};", "ffi may not know redb"),
            ("src/platform/lock.rs", "use crate::writer::W;", "platform may not know middle"),
            ("src/writer/mod.rs", "use crate::RedbStore;", "in no layer"),
            ("src/drawer.rs", "", "in no layer"),
        ] {
            let found = findings(path, text);
            assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
            assert!(found[0].contains(reason), "{path}: {text}: {found:?}");
        }
    }

    /// What is allowed, and what only looks like an import.
    #[test]
    fn downward_imports_pass() {
        for (path, text) in [
            ("src/codec.rs", "use crate::{entry::EntryView, headers::{Headers, Uuid}};"),
            ("src/backend.rs", "pub mod memory;\nuse crate::entry::Row;"),
            ("src/backend/memory.rs", "use super::{Direction, ledger::Ledger};"),
            ("src/backend/redb/disk.rs", "use super::tables; use crate::platform::lock;"),
            ("src/store.rs", "use crate::backend::redb::RedbStore; use crate::writer::Run;"),
            ("src/ffi/run.rs", "use crate::backend::Direction; use crate::store;"),
            ("src/lib.rs", "pub use crate::ffi::x; pub use crate::backend::redb::RedbStore;"),
            ("src/hash.rs", "// crate::ffi::x\npub(crate) fn f() { g(\"crate::ffi\") }"),
            ("src/hash.rs", "#[cfg(test)]\nmod tests { use crate::ffi::x; }"),
            ("src/writer/tests.rs", "use crate::backend::memory::MemoryStore;"),
            ("src/hash.rs", "pub(super) fn f() {}"),
        ] {
            assert_eq!(findings(path, text), [] as [String; 0], "{path}: {text}");
        }
    }
}
