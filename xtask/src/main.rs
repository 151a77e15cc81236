//! `cargo run --release -p xtask -- install | uninstall | deb`: the library as a system has it.
//!
//! `tree` says what is installed and where, `artifacts` builds it, `install` and `debian` put it
//! somewhere. Needs cargo and a C compiler; `deb` also Debian's dpkg-dev.

mod artifacts;
mod debian;
mod install;
mod interface;
mod names;
mod run;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser};

/// Installs eventstore: library, headers, command and what finds them.
#[derive(Parser)]
enum Task {
    /// Build the release and install it; over an older version it leaves nothing of that.
    Install {
        #[command(flatten)]
        place: Place,
        /// Folder of the libraries, below the prefix.
        #[arg(long, value_name = "DIR", default_value = "lib")]
        libdir: PathBuf,
    },
    /// Remove exactly what install put there.
    Uninstall {
        #[command(flatten)]
        place: Place,
    },
    /// Build the release and make a Debian package of it.
    Deb {
        /// Folder for the package.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(Args)]
struct Place {
    /// Where the files will be found, such as /usr/local; absolute.
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
    /// Put before the prefix while installing, for packagers.
    #[arg(long, value_name = "DIR")]
    destdir: Option<PathBuf>,
}

impl Place {
    fn folder(&self) -> Result<PathBuf, String> {
        let Ok(below_root) = self.prefix.strip_prefix("/") else {
            return Err(format!("--prefix {} is not absolute", self.prefix.display()));
        };
        Ok(match &self.destdir {
            Some(destdir) => destdir.join(below_root),
            None => self.prefix.clone(),
        })
    }
}

fn main() -> ExitCode {
    match perform(Task::parse()) {
        Ok(done) => {
            println!("{done}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<String, String> {
    match task {
        Task::Install { place, libdir } => {
            let folder = place.folder()?;
            let layout = tree::Layout::below_prefix(libdir);
            let count = install::install(&folder, &tree::items(&layout)?)?;
            Ok(format!("installed {count} files below {}", folder.display()))
        }
        Task::Uninstall { place } => {
            let folder = place.folder()?;
            let count = install::uninstall(&folder)?;
            Ok(format!("removed {count} files below {}", folder.display()))
        }
        Task::Deb { out } => Ok(format!("made {}", debian::package(&out)?.display())),
    }
}
