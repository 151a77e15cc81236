//! What is installed and where: one list, for a prefix and for a package.

use std::fs;
use std::path::{Path, PathBuf};

use crate::artifacts::{self, Artifacts, STATIC_LIBRARIES};
use crate::interface::Interface;
use crate::names::Names;
use crate::run::root;

/// Folders that differ between a prefix and a distribution; all below the prefix.
pub(crate) struct Layout {
    /// Of the libraries and of what finds them.
    library: PathBuf,
    /// Of the Python module.
    python: PathBuf,
}

impl Layout {
    pub(crate) fn below_prefix(library: PathBuf) -> Self {
        Self { library, python: "share/eventstore/python".into() }
    }

    /// `triplet` is what Debian calls the machine, such as x86_64-linux-gnu.
    pub(crate) fn debian(triplet: &str) -> Self {
        let library = Path::new("lib").join(triplet);
        Self { library, python: "lib/python3/dist-packages".into() }
    }
}

/// One file of the installed tree.
pub(crate) struct Item {
    /// Below the prefix.
    pub(crate) path: PathBuf,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    /// A copy of this file.
    File(PathBuf),
    /// The same, to be run.
    Program(PathBuf),
    Text(String),
    /// A link to a file in the same folder.
    Link(String),
}

/// Builds everything and lists it.
pub(crate) fn items(layout: &Layout) -> Result<Vec<Item>, String> {
    let interface = Interface::read()?;
    let names = Names::here(interface.version)?;
    let built = artifacts::build(&names, &interface)?;
    let mut items = Vec::new();
    headers(&mut items);
    let recorded =
        format!("eventstore-{}.{}.abi", interface.version.major, interface.version.minor);
    items.push(Item {
        path: Path::new("share/eventstore").join(&recorded),
        content: Content::File(root().join("tests/abi").join(&recorded)),
    });
    libraries(&mut items, layout, &names, &built);
    finders(&mut items, layout, &names, &interface)?;
    command(&mut items, &names, &built)?;
    folder(&mut items, &root().join("python/src/eventstore"), &layout.python.join("eventstore"))?;
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "README.md"] {
        let path = Path::new("share/doc/eventstore").join(file);
        items.push(Item { path, content: Content::File(root().join(file)) });
    }
    Ok(items)
}

fn headers(items: &mut Vec<Item>) {
    for header in ["eventstore.h", "eventstore.hpp", "eventstore.cdef.h"] {
        let path = Path::new("include").join(header);
        let source = root().join(&path);
        items.push(Item { path, content: Content::File(source) });
    }
}

fn libraries(items: &mut Vec<Item>, layout: &Layout, names: &Names, built: &Artifacts) {
    let mut add =
        |name: &str, content| items.push(Item { path: layout.library.join(name), content });
    add(&names.shared, Content::File(built.shared.clone()));
    add(&names.runtime, Content::Link(names.shared.clone()));
    add(&names.link, Content::Link(names.runtime.clone()));
    add(&names.archive, Content::File(built.archive.clone()));
}

/// The files for pkg-config and CMake, which find everything from where they lie themselves.
fn finders(
    items: &mut Vec<Item>,
    layout: &Layout,
    names: &Names,
    interface: &Interface,
) -> Result<(), String> {
    let up = |folder: &Path| vec![".."; folder.components().count()].join("/");
    let pkgconfig = layout.library.join("pkgconfig");
    let cmake = layout.library.join("cmake/eventstore");
    let version = version();
    let fill = |template: &str, own_folder: &Path| {
        template
            .replace("@VERSION@", &version)
            .replace("@ABI_MAJOR@", &interface.version.major.to_string())
            .replace("@UP@", &up(own_folder))
            .replace("@LIBDIR@", &layout.library.to_string_lossy())
            .replace("@SHARED@", &names.shared)
            .replace("@RUNTIME@", &names.runtime)
            .replace("@ARCHIVE@", &names.archive)
            .replace("@STATIC_FLAGS@", &STATIC_LIBRARIES.map(|name| format!("-l{name}")).join(" "))
            .replace("@STATIC_LIBRARIES@", &STATIC_LIBRARIES.join(";"))
    };
    let templates = [
        (&pkgconfig, "eventstore.pc", include_str!("../templates/eventstore.pc.in")),
        (
            &cmake,
            "eventstore-config.cmake",
            include_str!("../templates/eventstore-config.cmake.in"),
        ),
        (
            &cmake,
            "eventstore-config-version.cmake",
            include_str!("../templates/eventstore-config-version.cmake.in"),
        ),
    ];
    for (own_folder, name, template) in templates {
        let content = Content::Text(fill(template, own_folder));
        items.push(Item { path: own_folder.join(name), content });
    }
    Ok(())
}

fn command(items: &mut Vec<Item>, names: &Names, built: &Artifacts) -> Result<(), String> {
    let path = Path::new("bin").join(&names.command);
    items.push(Item { path, content: Content::Program(built.command.clone()) });
    folder(items, &built.man, Path::new("share/man/man1"))?;
    let completions = [
        ("eventstore.bash", "share/bash-completion/completions/eventstore"),
        ("_eventstore", "share/zsh/site-functions/_eventstore"),
        ("eventstore.fish", "share/fish/vendor_completions.d/eventstore.fish"),
    ];
    for (source, path) in completions {
        let content = Content::File(built.completions.join(source));
        items.push(Item { path: path.into(), content });
    }
    Ok(())
}

/// Every file below a folder, except what Python leaves there.
fn folder(items: &mut Vec<Item>, source: &Path, path: &Path) -> Result<(), String> {
    let listed = fs::read_dir(source).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut listed = listed.map_err(|error| format!("{}: {error}", source.display()))?;
    listed.sort_by_key(fs::DirEntry::file_name);
    for entry in listed {
        let (source, path) = (entry.path(), path.join(entry.file_name()));
        if entry.file_name() == "__pycache__" {
            continue;
        }
        if source.is_dir() {
            folder(items, &source, &path)?;
        } else {
            items.push(Item { path, content: Content::File(source) });
        }
    }
    Ok(())
}

/// The version of the library, from its manifest.
pub(crate) fn version() -> String {
    let manifest = include_str!("../../Cargo.toml");
    let (_, rest) = manifest.split_once("\nversion = \"").expect("Cargo.toml has a version");
    rest.split('"').next().unwrap_or_default().to_owned()
}
