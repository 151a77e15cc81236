//! What may stand in a fenced block, so that none goes unchecked.
//!
//! | info string | what is done with it |
//! |---|---|
//! | `c` | a piece of a function: compiled and run by `fragments` |
//! | `c file=NAME`, also `cpp`, `python`, `cmake`, `json` | written; a later `sh` of the page names it |
//! | `sh` | run in the page's folder; `sh checkout` in the checkout |
//! | `python` | run; the pieces of a page one after the other, as one program |
//! | `text output` | what the `sh` or `python` before it printed |
//! | `text` | a drawing |

use crate::page::{Block, Page};

/// What the checks do with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Fragment,
    File,
    Shell,
    Python,
    Output,
    Drawing,
}

pub(crate) fn kind(block: &Block) -> Option<Kind> {
    let words: Vec<&str> = block.info.iter().map(String::as_str).collect();
    match words[..] {
        ["c"] => Some(Kind::Fragment),
        ["c" | "cpp" | "python" | "cmake" | "json", file] if file.starts_with("file=") => {
            Some(Kind::File)
        }
        ["sh"] | ["sh", "checkout"] => Some(Kind::Shell),
        ["python"] => Some(Kind::Python),
        ["text", "output"] => Some(Kind::Output),
        ["text"] => Some(Kind::Drawing),
        _ => None,
    }
}

/// Blocks that nothing would check.
pub(crate) fn unchecked_blocks(page: &Page) -> Vec<String> {
    let mut findings = Vec::new();
    let mut printed = false;
    let mut report =
        |line: usize, reason: &str| findings.push(format!("{}:{line}: {reason}", page.path));
    if let Some(line) = page.unclosed {
        report(line, "a fence that nothing closes");
    }
    for (at, block) in page.blocks.iter().enumerate() {
        let kind = kind(block);
        match kind {
            None => {
                let info = block.info.join(" ");
                report(block.line, &format!("a block {info:?}, which nothing checks"));
            }
            Some(Kind::File) => {
                let name = block.file().unwrap_or_default();
                let used = |later: &Block| later.language() == "sh" && names(&later.text, name);
                if !page.blocks[at + 1..].iter().any(used) {
                    report(block.line, &format!("no command of the page uses {name}"));
                }
            }
            Some(Kind::Output) if !printed => report(block.line, "output of nothing"),
            // Statements in a drawing would be code that is not run.
            Some(Kind::Drawing) if block.text.lines().any(|line| line.ends_with(';')) => {
                report(block.line, "a drawing with statements in it");
            }
            Some(_) => {}
        }
        printed = matches!(kind, Some(Kind::Shell | Kind::Python));
    }
    findings
}

/// Whether a command uses a file: by name, or as CMake finds its own.
fn names(command: &str, file: &str) -> bool {
    command.contains(file) || (file == "CMakeLists.txt" && command.contains("cmake -S"))
}

#[test]
fn unchecked_blocks_are_found() {
    let text = "```rust\nx\n```\n```\ny\n```\n```c file=a.c\nint x;\n```\n```sh\ncc b.c\n```\n\
                ```text\nx = 1;\n```\n```text output\nz\n```\n```sh\n";
    let expected = [
        "p.md:19: a fence that nothing closes",
        "p.md:2: a block \"rust\", which nothing checks",
        "p.md:5: a block \"\", which nothing checks",
        "p.md:8: no command of the page uses a.c",
        "p.md:14: a drawing with statements in it",
        "p.md:17: output of nothing",
    ];
    assert_eq!(unchecked_blocks(&Page::new("p.md", text)), expected);
}
