//! The README's map of the tree names nothing that is not there.
//!
//! The map is the section whose heading has the word "tree". Its fenced block gives a path a line,
//! below the folder of the line it is indented under; text in backticks with a slash is a path too,
//! and so is the name of a source file, below the first folder of its line.

/// Paths that the map names and that do not exist; or that there is no map.
pub(crate) fn missing_paths(readme: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let paths = mapped_paths(readme);
    if paths.is_empty() {
        return vec!["README.md: no section on the tree that names a path".to_owned()];
    }
    let missing = paths.into_iter().filter(|(_, path)| !exists(path));
    missing.map(|(line, path)| format!("README.md:{line}: {path} does not exist")).collect()
}

/// Lines, from 1, and the paths that they name.
fn mapped_paths(readme: &str) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    let (mut in_section, mut in_block) = (false, false);
    // The folders that a line may be indented under, with their own indent.
    let mut folders: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(readme.lines()) {
        if line.starts_with("```") {
            in_block = !in_block;
            folders.clear();
        } else if line.starts_with('#') && !in_block {
            let heading = line.to_lowercase();
            in_section = heading.split(|c: char| !c.is_alphabetic()).any(|word| word == "tree");
        } else if in_section && in_block {
            let found = block_line(line, &mut folders);
            paths.extend(found.into_iter().map(|path| (number, path)));
        } else if in_section {
            paths.extend(quoted_paths(line).into_iter().map(|path| (number, path)));
        }
    }
    paths
}

/// The names that start a line, up to its description, which stands behind two spaces.
fn block_line(line: &str, folders: &mut Vec<(usize, String)>) -> Vec<String> {
    let indent = line.len() - line.trim_start().len();
    let names = line.trim_start().split("  ").next().unwrap_or_default();
    folders.retain(|(outer, _)| *outer < indent);
    let parent = folders.last().map_or_else(String::new, |(_, folder)| folder.clone());
    let looks_like_file = |name: &&str| name.contains(['.', '/']) && *name != "...";
    let paths: Vec<String> = names
        .split(' ')
        .filter(looks_like_file)
        .map(|name| format!("{parent}{}", name.trim_end_matches(',')))
        .collect();
    if let Some(folder) = paths.first().filter(|path| path.ends_with('/')) {
        folders.push((indent, folder.clone()));
    }
    paths
}

/// The paths in backticks, and the files that are named without their folder.
fn quoted_paths(line: &str) -> Vec<String> {
    let quoted: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
    let folder = quoted.iter().find(|text| is_path(text) && text.ends_with('/')).unwrap_or(&"");
    let path_of = |text: &str| match text {
        _ if is_path(text) => Some(text.to_owned()),
        _ if is_source_file(text) => Some(format!("{folder}{text}")),
        _ => None,
    };
    quoted.iter().filter_map(|text| path_of(text)).collect()
}

fn is_source_file(text: &str) -> bool {
    let stem = [".c", ".rs", ".sh", ".md"].iter().find_map(|ending| text.strip_suffix(ending));
    stem.is_some_and(|stem| {
        stem.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    })
}

fn is_path(text: &str) -> bool {
    text.contains('/') && !text.contains([' ', '<', '*', ':', '$', '('])
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "\
# eventstore
`not/in/the/map`
## Map of the tree
Start at `src/lib.rs`, then `cargo test` and `<base>/x`.
| `tests/` | `model`, `fork.rs`; `run.sh *` |
```
src/
  lib.rs            the crate, see the.docs
  backend/          kinds of storage
    memory.rs gone.rs   two
  codec.rs          frames
README.md
```
## Linking
`also/not`
";

    /// Every path of the map is taken with its folders, and nothing of the other sections.
    #[test]
    fn map_is_read_as_a_tree() {
        let paths: Vec<String> = mapped_paths(README).into_iter().map(|(_, path)| path).collect();
        let expected = [
            "src/lib.rs",
            "tests/",
            "tests/fork.rs",
            "src/",
            "src/lib.rs",
            "src/backend/",
            "src/backend/memory.rs",
            "src/backend/gone.rs",
            "src/codec.rs",
            "README.md",
        ];
        assert_eq!(paths, expected);
    }

    /// A path that is gone is named with its line; so is the lack of a map.
    #[test]
    fn dead_path_is_caught() {
        let findings = missing_paths(README, |path| !path.contains("gone"));
        assert_eq!(findings, ["README.md:10: src/backend/gone.rs does not exist"]);
        assert_eq!(missing_paths(README, |_| true), [] as [String; 0]);
        assert_eq!(missing_paths("# eventstore\n`src/lib.rs`", |_| true).len(), 1);
    }
}
