//! Puts the tree somewhere, and takes exactly that away again.
//!
//! What was made is written down in the tree itself, folders too, each file before it is there: an
//! install that broke off can be removed or repeated. Folders go only when they are empty.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::tree::{Content, Item};

/// The list of what was made, below the prefix: a path a line, of a folder with a slash at its
/// end.
const RECORD: &str = "share/eventstore/installed";

/// Installs the items below `prefix`, over an older version or none.
pub(crate) fn install(prefix: &Path, items: &[Item]) -> Result<usize, String> {
    check_sources(items)?;
    let before = read_record(prefix).unwrap_or_default();
    let files: BTreeSet<PathBuf> =
        items.iter().map(|item| item.path.clone()).chain([RECORD.into()]).collect();
    let mut folders = before.folders;
    for path in &files {
        folders.extend(missing_folders(prefix, path));
    }
    let made = Record { files: files.union(&before.files).cloned().collect(), folders };
    write_record(prefix, &made)?;
    for item in items {
        put(&prefix.join(&item.path), &item.content)?;
    }
    for stale in before.files.difference(&files) {
        remove_item(&prefix.join(stale))?;
    }
    write_record(prefix, &Record { files, folders: made.folders })?;
    Ok(items.len() + 1)
}

/// Removes what the record names.
pub(crate) fn uninstall(prefix: &Path) -> Result<usize, String> {
    let record = read_record(prefix).map_err(|error| {
        format!("{}: {error}; nothing is removed", prefix.join(RECORD).display())
    })?;
    // The record itself last, so that a removal that breaks off can be repeated.
    for file in record.files.iter().filter(|file| *file != Path::new(RECORD)) {
        remove_item(&prefix.join(file))?;
    }
    remove_file(&prefix.join(RECORD))?;
    let mut folders: Vec<PathBuf> =
        record.folders.iter().map(|folder| joined(prefix, folder)).collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
    for folder in folders {
        // What holds somebody else's files stays.
        let _ = fs::remove_dir(folder);
    }
    Ok(record.files.len())
}

/// Removes the record alone, where something else keeps one.
pub(crate) fn forget(prefix: &Path) -> Result<(), String> {
    remove_file(&prefix.join(RECORD))?;
    let folder = prefix.join(RECORD).parent().map(Path::to_owned).unwrap_or_default();
    let _ = fs::remove_dir(folder);
    Ok(())
}

fn check_sources(items: &[Item]) -> Result<(), String> {
    for item in items {
        if let Content::File(source) | Content::Program(source) = &item.content
            && !source.is_file()
        {
            return Err(format!("{} is missing: nothing is installed", source.display()));
        }
    }
    Ok(())
}

/// The folders between a file and the file system's root that are not there yet, as seen from the
/// prefix: `..` is the folder around it.
fn missing_folders(prefix: &Path, file: &Path) -> Vec<PathBuf> {
    let inside = file.ancestors().skip(1).map(Path::to_owned);
    let above =
        (1..=prefix.components().count()).map(|levels| [".."].repeat(levels).iter().collect());
    let all = inside.chain(above);
    all.take_while(|folder: &PathBuf| !joined(prefix, folder).exists()).collect()
}

/// Without `..`, which cannot be followed once a folder on the way is gone.
fn joined(prefix: &Path, folder: &Path) -> PathBuf {
    let mut path = prefix.to_owned();
    for part in folder {
        if part == ".." {
            path.pop();
        } else {
            path.push(part);
        }
    }
    path
}

/// Writes beside and renames: a program that has the old file open keeps it whole.
fn put(path: &Path, content: &Content) -> Result<(), String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.installing"));
    let written = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        let _ = fs::remove_file(&beside);
        let mode = match content {
            Content::File(source) => fs::copy(source, &beside).map(|_| Some(0o644)),
            Content::Program(source) => fs::copy(source, &beside).map(|_| Some(0o755)),
            Content::Text(text) => fs::write(&beside, text).map(|()| Some(0o644)),
            Content::Link(target) => symlink(target, &beside).map(|()| None),
        }?;
        if let Some(mode) = mode {
            fs::set_permissions(&beside, Permissions::from_mode(mode))?;
        }
        fs::rename(&beside, path)
    };
    written().map_err(|error| format!("{}: {error}", path.display()))
}

/// Removes what was installed, and of a module what Python has made of it when it was imported.
fn remove_item(path: &Path) -> Result<(), String> {
    remove_file(path)?;
    if path.extension().is_none_or(|extension| extension != "py") {
        return Ok(());
    }
    let module = path.file_stem().unwrap_or_default().to_string_lossy();
    let folder = path.with_file_name("__pycache__");
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(&format!("{module}.")) {
            remove_file(&entry.path())?;
        }
    }
    let _ = fs::remove_dir(folder);
    Ok(())
}

fn remove_file(path: &Path) -> Result<(), String> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", path.display()))
        }
        _ => Ok(()),
    }
}

/// What an install made.
#[derive(Default)]
struct Record {
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

fn read_record(prefix: &Path) -> std::io::Result<Record> {
    let mut record = Record::default();
    for line in fs::read_to_string(prefix.join(RECORD))?.lines() {
        match line.strip_suffix('/') {
            Some(folder) => record.folders.insert(folder.into()),
            None => record.files.insert(line.into()),
        };
    }
    Ok(record)
}

fn write_record(prefix: &Path, record: &Record) -> Result<(), String> {
    let files = record.files.iter().map(|file| format!("{}\n", file.display()));
    let folders = record.folders.iter().map(|folder| format!("{}/\n", folder.display()));
    put(&prefix.join(RECORD), &Content::Text(files.chain(folders).collect()))
}
