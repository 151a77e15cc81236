//! The same tree as a Debian package.
//!
//! One package, below /usr, libraries in the machine's own folder. dpkg knows its files, so the
//! record of `install` stays out, and its trigger keeps ldconfig's cache right.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install;
use crate::run::{printed_by, run};
use crate::tree::{self, Layout, version};

/// Makes the package in the folder `out`; answers its path.
pub(crate) fn package(out: &Path) -> Result<PathBuf, String> {
    let architecture = dpkg_says("-qDEB_HOST_ARCH")?;
    let triplet = dpkg_says("-qDEB_HOST_MULTIARCH")?;
    fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let root = out.join("eventstore-package");
    let _ = fs::remove_dir_all(&root);
    let usr = root.join("usr");
    let items = tree::items(&Layout::debian(&triplet))?;
    install::install(&usr, &items)?;
    install::forget(&usr)?;

    let control = include_str!("../templates/control.in")
        .replace("@VERSION@", &version())
        .replace("@ARCHITECTURE@", &architecture)
        .replace("@INSTALLED_KIB@", &installed_kib(&usr)?)
        .replace("@DEPENDS@", &depends(&root, &usr, &triplet)?);
    let shlibs = format!("libeventstore 0 eventstore (>= {})\n", version());
    write(&root, "DEBIAN/control", &control)?;
    write(&root, "DEBIAN/shlibs", &shlibs)?;
    write(&root, "DEBIAN/triggers", "activate-noawait ldconfig\n")?;
    write(&root, "DEBIAN/prerm", include_str!("../templates/prerm"))?;
    fs::set_permissions(root.join("DEBIAN/prerm"), Permissions::from_mode(0o755))
        .map_err(|error| format!("{}: {error}", root.display()))?;
    let licence = include_str!("../templates/copyright");
    write(&root, "usr/share/doc/eventstore/copyright", licence)?;

    let package = out.join(format!("eventstore_{}_{architecture}.deb", version()));
    let mut build = Command::new("dpkg-deb");
    run(build.args(["--root-owner-group", "--build"]).arg(&root).arg(&package))?;
    fs::remove_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
    Ok(package)
}

fn dpkg_says(question: &str) -> Result<String, String> {
    Ok(printed_by(Command::new("dpkg-architecture").arg(question))?.trim().to_owned())
}

fn installed_kib(usr: &Path) -> Result<String, String> {
    let used = printed_by(Command::new("du").args(["-sk", "--apparent-size"]).arg(usr))?;
    Ok(used.split_whitespace().next().unwrap_or("0").to_owned())
}

/// The packages that the library and the command need. The tool wants a source package around it.
fn depends(root: &Path, usr: &Path, triplet: &str) -> Result<String, String> {
    write(
        root,
        "debian/control",
        "Source: eventstore\n\nPackage: eventstore\nArchitecture: any\n",
    )?;
    let mut ask = Command::new("dpkg-shlibdeps");
    ask.current_dir(root).arg("-O");
    let libraries = usr.join("lib").join(triplet);
    for folder in [usr.join("bin"), libraries] {
        let listed = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let files = listed.flatten().map(|entry| entry.path());
        let is_program = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.is_file() && !path.is_symlink() && !name.ends_with(".a")
        };
        ask.args(files.filter(is_program).filter_map(|path| fs::canonicalize(path).ok()));
    }
    let answer = printed_by(&mut ask)?;
    fs::remove_dir_all(root.join("debian")).map_err(|error| error.to_string())?;
    let list = answer.trim().strip_prefix("shlibs:Depends=").map(str::to_owned);
    list.ok_or_else(|| format!("dpkg-shlibdeps says {answer:?}"))
}

fn write(root: &Path, path: &str, text: &str) -> Result<(), String> {
    let path = root.join(path);
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}
