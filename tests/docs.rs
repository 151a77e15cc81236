//! The guide in `docs/` is true: its links lead somewhere, its table of statuses is the header's,
//! and every block of it is compiled or run.
//!
//! What may stand in a block: `docs/blocks.rs`. The commands of the guide install the library and
//! build against the installed tree, which takes minutes: `ES_DOCS_SESSION=1` asks for that.
//! `ES_UPDATE_DOCS=1` writes the table of statuses anew.

#[path = "docs/blocks.rs"]
mod blocks;
mod common;
#[path = "docs/fragments.rs"]
mod fragments;
#[path = "docs/links.rs"]
mod links;
#[path = "docs/page.rs"]
mod page;
#[path = "docs/session.rs"]
mod session;
#[path = "docs/statuses.rs"]
mod statuses;

use std::fs;
use std::path::Path;

use common::c_program;
use common::shared::{not_run_unasked, not_run_without_tool};
use common::temporary::TemporaryFolder;
use page::Page;
use session::Session;

const INDEX: &str = "docs/README.md";
const INSTALLING: &str = "docs/installing.md";
const STATUSES: &str = "docs/statuses.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The guide's pages, by name.
fn pages() -> Vec<Page> {
    let listed = fs::read_dir(root().join("docs")).expect("docs/");
    let names = listed.map(|item| item.expect("a listed file").file_name());
    let mut paths: Vec<String> = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    paths.sort();
    assert!(paths.len() > 8, "the guide has {} pages only", paths.len());
    paths.iter().map(|path| Page::new(path, &text_of(path))).collect()
}

/// Every link leads to a file or heading that is there; every page is reached from the index.
#[test]
fn links_lead_somewhere() {
    let mut pages = pages();
    pages.push(Page::new("README.md", &text_of("README.md")));
    let findings = links::broken_links(&pages, INDEX, |path| root().join(path).exists());
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// No block is of a kind that nothing checks.
#[test]
fn every_block_is_checked() {
    let findings: Vec<String> = pages().iter().flat_map(blocks::unchecked_blocks).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// The table of statuses says what the header says.
#[test]
fn statuses_are_those_of_the_header() {
    let header = text_of("include/eventstore.h");
    let mut page = text_of(STATUSES);
    if std::env::var_os("ES_UPDATE_DOCS").is_some() {
        for status in statuses::of_header(&header) {
            let start = format!("| `{}` |", status.name);
            let old = page.lines().find(|line| line.starts_with(&start)).map(str::to_owned);
            let old = old.unwrap_or_else(|| panic!("{STATUSES}: no row {start} to write anew"));
            page = page.replace(&old, &statuses::row(&status));
        }
        fs::write(root().join(STATUSES), &page).expect("docs/ is writable");
    }
    let findings = statuses::differences(&page, &header);
    assert!(findings.is_empty(), "{STATUSES}:\n{}", findings.join("\n"));
}

/// The pieces of C are compiled without a warning and do what they say.
#[test]
fn pieces_of_c_compile_and_run() {
    if !c_program::has_tool("gcc") {
        return not_run_without_tool("pieces_of_c_compile_and_run", "gcc");
    }
    for page in pages() {
        let folder = TemporaryFolder::new("docs-fragments");
        if let Some(failure) = fragments::failure(&page, folder.path()) {
            panic!("{failure}");
        }
    }
}

/// A piece that does not compile, and one that fails, are told, under the page's own line.
#[test]
fn broken_pieces_of_c_are_told() {
    if !c_program::has_tool("gcc") {
        return not_run_without_tool("broken_pieces_of_c_are_told", "gcc");
    }
    let wrong = [
        ("es_sumbit(run);", "docs/a.md:3:"),
        ("int unused;", "docs/a.md:3:"),
        (
            "if (es_lookup(reader, 0, \"GHOST\", ES_NTS, &seq, &err) != ES_OK) return 1;",
            "docs/a.md:3: the piece answers 1",
        ),
    ];
    for (piece, told) in wrong {
        let folder = TemporaryFolder::new("docs-broken");
        let page = Page::new("docs/a.md", &format!("# A\n```c\n{piece}\n```\n"));
        let failure = fragments::failure(&page, folder.path());
        assert!(failure.as_ref().is_some_and(|text| text.contains(told)), "{piece}: {failure:?}");
    }
}

/// What the guide says to type works as it stands, page by page, from the install on.
#[test]
fn commands_do_what_the_guide_says() {
    let test = "commands_do_what_the_guide_says";
    if std::env::var_os("ES_DOCS_SESSION").is_none() {
        return not_run_unasked(test, "tests/docs.sh installs the library and follows the guide");
    }
    for tool in ["gcc", "g++", "pkg-config", "cmake", "python3"] {
        if !c_program::has_tool(tool) {
            return not_run_without_tool(test, tool);
        }
    }
    let folder = TemporaryFolder::new("docs-session");
    let session = Session::new(folder.path(), root());
    let mut pages = pages();
    pages.sort_by_key(|page| page.path != INSTALLING); // first, as for the reader
    for page in pages {
        session.follow(&page).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

/// A command that fails, output that differs and a program that does not compile are told.
#[test]
fn broken_commands_are_told() {
    let wrong = [
        ("```sh\nfalse\n```\n", "docs/a.md:2: exit status: 1"),
        ("```sh\necho a\n```\n```text output\nb\n```\n", "docs/a.md:5: expected\nb\nprinted\na"),
        (
            "```c file=a.c\nint main(void) { return x; }\n```\n```sh\ngcc a.c\n```\n",
            "a.c:1:25: error",
        ),
        (
            "```c file=a.c\nint main(void) { int x; }\n```\n```sh\ngcc -Wall a.c\n```\n",
            "unused variable",
        ),
        ("```python\nx = 1\n```\n```python\nprint(y)\n```\n", "line 5, in <module>"),
    ];
    for (text, told) in wrong {
        let folder = TemporaryFolder::new("docs-broken");
        let session = Session::new(folder.path(), root());
        let answer = session.follow(&Page::new("docs/a.md", text));
        assert!(answer.as_ref().is_err_and(|failure| failure.contains(told)), "{answer:?}");
    }
    let folder = TemporaryFolder::new("docs-sound");
    let sound = "```sh\nexport A=1\n```\n```sh\necho \"$A\"\n```\n```text output\n1\n```\n\
                 ```python\nx = 1\nprint('a')\n```\n```python\nprint(x)\n```\n```text output\n1\n```\n";
    let session = Session::new(folder.path(), root());
    assert_eq!(session.follow(&Page::new("docs/a.md", sound)), Ok(()));
}
