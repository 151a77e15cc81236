//! Copies of what a killed writer left, so that it can be opened again and again.
//!
//! Of many large files only the last ones, by name, are copied: the others are linked, and looked at
//! afterwards, so that an opening that writes to one of them is no secret.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Files up to this are copied.
const SMALL_BYTES: u64 = 1 << 20;
/// So many of the last of the larger ones are copied too: what a writer was at, and made ready.
const LAST_FILES: usize = 4;

/// A run, a file or a folder, and the copy of it.
pub(crate) struct Copy {
    to: PathBuf,
    /// Linked files, with the time of their last change.
    linked: Vec<(PathBuf, (i64, i64))>,
}

impl Copy {
    /// Copies the folder and flushes what was written, so that nobody waits for that later.
    pub(crate) fn new(from: &Path, to: &Path) -> Result<Self, Failure> {
        let mut copy = Self { to: to.to_owned(), linked: Vec::new() };
        copy.folder(from, to)?;
        Ok(copy)
    }

    fn folder(&mut self, from: &Path, to: &Path) -> Result<(), Failure> {
        let failed = |error| Failure::from_io(from.display(), "copying the run", &error);
        fs::create_dir_all(to).map_err(failed)?;
        let listed = fs::read_dir(from).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut paths: Vec<PathBuf> =
            listed.map_err(failed)?.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        let mut large_left = 0;
        for path in &paths {
            large_left += usize::from(is_large(&path.metadata().map_err(failed)?));
        }
        for path in &paths {
            let to = to.join(path.file_name().expect("listed under a name"));
            let metadata = path.metadata().map_err(failed)?;
            let is_last = large_left <= LAST_FILES;
            large_left -= usize::from(is_large(&metadata));
            if metadata.is_dir() {
                self.folder(path, &to)?;
            } else if is_last || !is_large(&metadata) {
                fs::copy(path, &to).map_err(failed)?;
                File::open(&to).and_then(|file| file.sync_all()).map_err(failed)?;
            } else {
                fs::hard_link(path, &to).map_err(failed)?;
                self.linked.push((to, (metadata.mtime(), metadata.mtime_nsec())));
            }
        }
        File::open(to).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// Removes the copy.
    ///
    /// # Errors
    /// A linked file was changed meanwhile.
    pub(crate) fn remove(self) -> Result<(), Failure> {
        let failed = |error| Failure::from_io(self.to.display(), "removing the copy", &error);
        for (path, written) in &self.linked {
            // One that is gone was unlinked, which leaves the original as it was.
            let Ok(metadata) = path.metadata() else { continue };
            if (metadata.mtime(), metadata.mtime_nsec()) != *written {
                let path = path.display();
                return Err(Failure::CannotRun(format!("{path}: written while being measured")));
            }
        }
        fs::remove_dir_all(&self.to).map_err(failed)
    }
}

fn is_large(metadata: &fs::Metadata) -> bool {
    metadata.is_file() && metadata.len() > SMALL_BYTES
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::bench::folder::WorkFolder;

    /// The large files but the last are the very same, and writing to one of them is told.
    #[test]
    fn large_files_are_linked_and_watched() {
        let folder = WorkFolder::new(&std::env::temp_dir()).expect("a folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir(&from).expect("a folder");
        for number in 0..6 {
            fs::write(from.join(number.to_string()), vec![1; 2 << 20]).expect("written");
        }
        fs::write(from.join("manifest"), "behind them all").expect("written");
        let links = |name: &str| to.join(name).metadata().expect("there").nlink();
        let copy = Copy::new(&from, &to).expect("copied");
        let names = ["0", "1", "2", "3", "4", "5", "manifest"];
        assert_eq!(names.map(links), [2, 2, 1, 1, 1, 1, 1]);
        copy.remove().expect("nobody wrote");
        let copy = Copy::new(&from, &to).expect("copied");
        let mut options = File::options();
        let file = options.write(true).open(to.join("1")).expect("there");
        file.write_all_at(b"x", 0).and_then(|()| file.sync_all()).expect("written");
        let Err(Failure::CannotRun(text)) = copy.remove() else { panic!("not told") };
        assert!(text.contains("written while being measured"), "{text}");
    }
}
