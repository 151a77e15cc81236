//! Style and structure as a test: the rules that reviewers would otherwise repeat.
//!
//! Each rule is a function from a file to findings, in `tidy/`; beside each stands a test that
//! plants a violation and sees it caught. Here the rules meet the real tree.

#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/readme.rs"]
mod readme;
#[path = "tidy/review.rs"]
mod review;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/text_rules.rs"]
mod text_rules;

use std::fs;
use std::path::Path;

use source::SourceFile;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The Rust files below a folder of the crate.
fn files_below(folder: &str) -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(&folder).expect("a folder of the crate") {
            let path = item.expect("a listed file").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(ROOT).expect("below the root");
                let text = fs::read_to_string(&path).expect("UTF-8");
                files.push(SourceFile::new(&relative.to_string_lossy(), &text));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn assert_no_findings(folders: &[&str], rule: impl Fn(&SourceFile) -> Vec<String>) {
    let files: Vec<SourceFile> = folders.iter().flat_map(|folder| files_below(folder)).collect();
    assert!(files.len() > 10, "the walk found {} files only", files.len());
    let findings: Vec<String> = files.iter().flat_map(rule).collect();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn dependencies_point_down_only() {
    assert_no_findings(&["src"], layers::upward_imports);
}

#[test]
fn files_are_short() {
    assert_no_findings(&["src", "xtask/src"], text_rules::too_many_lines);
}

#[test]
fn functions_are_short() {
    assert_no_findings(&["src", "tests", "xtask/src"], text_rules::long_functions);
}

#[test]
fn files_open_with_their_purpose() {
    assert_no_findings(&["src", "tests", "xtask/src"], text_rules::missing_purpose);
}

#[test]
fn nothing_is_left_to_do() {
    assert_no_findings(&["src", "tests", "xtask/src"], text_rules::leftovers);
}

#[test]
fn no_test_is_switched_off_or_empty() {
    assert_no_findings(&["src", "tests", "xtask/src"], text_rules::hollow_tests);
}

#[test]
fn unsafe_stays_in_its_places() {
    assert_no_findings(&["src"], text_rules::misplaced_unsafe);
}

#[test]
fn unsafe_blocks_give_their_reason() {
    assert_no_findings(&["src", "tests"], text_rules::unexplained_unsafe);
}

#[test]
fn review_of_the_interface_names_what_is_there() {
    let read = |path: &str| {
        let path = Path::new(ROOT).join(path);
        if path.is_dir() { Some(String::new()) } else { fs::read_to_string(path).ok() }
    };
    let review = read("tests/ABI_REVIEW.md").expect("the review");
    assert_eq!(review::missing(&review, read), [""; 0]);
}

#[test]
fn readme_maps_the_tree_as_it_is() {
    let text = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("the README");
    let findings = readme::missing_paths(&text, |path| Path::new(ROOT).join(path).exists());
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
