//! What the files of the library are called, decided once for each system.
//!
//! Linux is tested. The names for macOS and Windows are a decision that nothing has run yet: there
//! the tasks stop before they build.

use crate::interface::Version;

/// The names of the libraries and of the command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// The shared library's file.
    pub(crate) shared: String,
    /// What programs record and look for when they start: SONAME, install name, DLL.
    pub(crate) runtime: String,
    /// What the linker looks for; on Windows the import library.
    pub(crate) link: String,
    /// The static library.
    pub(crate) archive: String,
    /// The command.
    pub(crate) command: String,
}

impl Names {
    /// For the system that this program was built for.
    pub(crate) fn here(version: Version) -> Result<Self, String> {
        match std::env::consts::OS {
            "linux" => Ok(Self::on("linux", version)),
            other => {
                let names = Self::on(other, version);
                Err(format!("installing on {other} is untested and not built; names: {names:?}"))
            }
        }
    }

    fn on(system: &str, Version { major, minor }: Version) -> Self {
        match system {
            // Its install name is @rpath/<runtime>, so that a program in a bundle finds its own.
            "macos" => Self {
                shared: format!("libeventstore.{major}.{minor}.dylib"),
                runtime: format!("libeventstore.{major}.dylib"),
                link: "libeventstore.dylib".into(),
                archive: "libeventstore.a".into(),
                command: "eventstore".into(),
            },
            // The DLL lies in bin, beside the command. Programs that link the archive define
            // ES_STATIC, which takes __declspec(dllimport) off the header.
            "windows" => Self {
                shared: format!("eventstore-{major}.dll"),
                runtime: format!("eventstore-{major}.dll"),
                link: "eventstore.lib".into(),
                archive: "eventstore_static.lib".into(),
                command: "eventstore.exe".into(),
            },
            _ => Self {
                shared: format!("libeventstore.so.{major}.{minor}"),
                runtime: format!("libeventstore.so.{major}"),
                link: "libeventstore.so".into(),
                archive: "libeventstore.a".into(),
                command: "eventstore".into(),
            },
        }
    }
}
