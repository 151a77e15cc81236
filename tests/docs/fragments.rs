//! Pieces of C on a page, compiled and run, each in a function over a run of its own.
//!
//! What a piece may use stands in `scaffold.c`. Warnings are errors, under the page's own lines.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::blocks::{Kind, kind};
use crate::common::c_program;
use crate::page::Page;

const SCAFFOLD: &str = include_str!("scaffold.c");

/// What is wrong with the pieces of a page; nothing when they do what they say.
pub(crate) fn failure(page: &Page, folder: &Path) -> Option<String> {
    let pieces: Vec<_> =
        page.blocks.iter().filter(|block| kind(block) == Some(Kind::Fragment)).collect();
    if pieces.is_empty() {
        return None;
    }
    let (mut functions, mut names) = (String::new(), String::new());
    for (number, piece) in pieces.iter().enumerate() {
        writeln!(functions, "FRAGMENT(fragment_{number})\n#line {} {:?}", piece.line, page.path)
            .expect("a String takes all");
        writeln!(functions, "{}END_OF_FRAGMENT", piece.text).expect("a String takes all");
        write!(names, "{{\"{}:{}\", fragment_{number}}}, ", page.path, piece.line)
            .expect("a String takes all");
    }
    let program = SCAFFOLD.replace("@FRAGMENTS@", &functions).replace("@NAMES@", &names);
    let source = folder.join("fragments.c");
    fs::write(&source, program).expect("a file in the test's folder");
    let mut compile = c_program::compiler("c11");
    compile.args(["-fsyntax-only"]).arg(&source);
    printed_failure(&mut compile).or_else(|| {
        let program = c_program::build(&source, "c11", folder, &[]);
        printed_failure(Command::new(program).arg(folder.join("runs")))
    })
}

fn printed_failure(command: &mut Command) -> Option<String> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success()).then_some(printed)
}
