//! A page as a session of its reader: files written, commands run, what they print compared.
//!
//! All pages share one environment, as a reader's shell would: what `export` of one block sets,
//! the next blocks and pages see. Each page has a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::blocks::{Kind, kind};
use crate::page::{Block, Page};

/// The reader's shell.
pub(crate) struct Session {
    folder: PathBuf,
    checkout: PathBuf,
    environment: PathBuf,
}

impl Session {
    /// A shell in an empty folder, where the guide's `PREFIX` is.
    pub(crate) fn new(folder: &Path, checkout: &Path) -> Self {
        let environment = folder.join("environment.sh");
        let prefix = folder.join("prefix");
        fs::write(&environment, format!("export PREFIX={:?}\n", prefix.display().to_string()))
            .expect("a file in the test's folder");
        Self { folder: folder.to_owned(), checkout: checkout.to_owned(), environment }
    }

    /// Does what a page says, in its order; what went wrong first, if anything.
    pub(crate) fn follow(&self, page: &Page) -> Result<(), String> {
        let work = self.folder.join(page.path.replace('/', "_"));
        fs::create_dir_all(&work).expect("a folder in the test's folder");
        let mut printed = String::new();
        let mut python = String::new();
        for block in &page.blocks {
            let place = format!("{}:{}", page.path, block.line);
            match kind(block) {
                Some(Kind::File) => {
                    let name = block.file().expect("a file has a name");
                    fs::write(work.join(name), &block.text).expect("a file in the test's folder");
                }
                Some(Kind::Shell) => {
                    let at = if block.has("checkout") { &self.checkout } else { &work };
                    printed =
                        self.run(at, &block.text).map_err(|text| format!("{place}: {text}"))?;
                }
                Some(Kind::Python) => {
                    let before = self.python(&work, &python)?;
                    python.push_str(&padded(&python, block));
                    let all =
                        self.python(&work, &python).map_err(|text| format!("{place}: {text}"))?;
                    printed = all.strip_prefix(&before).unwrap_or(&all).to_owned();
                }
                Some(Kind::Output) if printed.trim_end() != block.text.trim_end() => {
                    return Err(format!("{place}: expected\n{}printed\n{printed}", block.text));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Runs a page's Python from its start, each time over runs of its own.
    fn python(&self, work: &Path, program: &str) -> Result<String, String> {
        if program.is_empty() {
            return Ok(String::new());
        }
        fs::write(work.join("page.py"), program).expect("a file in the test's folder");
        self.run(work, "cd \"$(mktemp -d -p .)\" && python3 ../page.py")
    }

    /// Runs commands as a reader would, ending at the first that fails; answers what they print.
    fn run(&self, at: &Path, commands: &str) -> Result<String, String> {
        let environment = self.environment.display();
        let script = format!(". '{environment}'\n{commands}\nexport -p >'{environment}'\n");
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &script]).current_dir(at);
        let output = bash.output().unwrap_or_else(|error| panic!("bash: {error}"));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        // A compiler's warning is a failure too: what runs on the way that succeeds may still crash
        // on the one that fails.
        let is_warning = |line: &str| line.contains(" warning: ") && line.contains("[-W");
        if output.status.success() && !complaint.lines().any(is_warning) {
            return Ok(printed);
        }
        Err(format!("{}\n{commands}{printed}{complaint}", output.status))
    }
}

/// A piece of Python behind empty lines, so that a traceback names the page's own lines.
fn padded(before: &str, block: &Block) -> String {
    let lines = before.lines().count();
    format!("{}{}", "\n".repeat(block.line.saturating_sub(lines + 1)), block.text)
}
