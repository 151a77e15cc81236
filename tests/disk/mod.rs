//! A disk in memory that a backend runs on instead of the operating system's.
//!
//! It can record every operation (for power cuts, see `power_cut.rs`), be full, be slow, fail, and
//! count. Pages are shared between copies, so that thousands of images of one file are cheap.
#![allow(dead_code, unreachable_pub)]

pub mod platter;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use eventstore::backend::disk::{BootId, Disk, Folder, LockMode, LockRange, Purpose, Volume};

pub const PAGE_BYTES: usize = 4096;

/// How long a flush is held at most: whoever is to let go of it waits for it.
const HELD_MAX: Duration = Duration::from_secs(20);

/// A file's bytes, in shared pages.
#[derive(Debug, Clone, Default)]
pub struct Content {
    pages: Vec<Option<Arc<[u8; PAGE_BYTES]>>>,
    len: u64,
}

impl Content {
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn read(&self, offset: u64, out: &mut [u8]) {
        for (place, at) in pieces(offset, out.len()) {
            let (page, start) = (at as usize / PAGE_BYTES, at as usize % PAGE_BYTES);
            let part = &mut out[place];
            match self.pages.get(page).and_then(Option::as_ref) {
                Some(bytes) => part.copy_from_slice(&bytes[start..start + part.len()]),
                None => part.fill(0),
            }
        }
    }

    /// Writes within the length.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        for (place, at) in pieces(offset, data.len()) {
            let (page, start) = (at as usize / PAGE_BYTES, at as usize % PAGE_BYTES);
            let bytes = self.pages[page].get_or_insert_with(|| Arc::new([0; PAGE_BYTES]));
            let part = &data[place];
            Arc::make_mut(bytes)[start..start + part.len()].copy_from_slice(part);
        }
    }

    pub fn set_len(&mut self, len: u64) {
        if len < self.len && !len.is_multiple_of(PAGE_BYTES as u64) {
            let tail = PAGE_BYTES as u64 - len % PAGE_BYTES as u64;
            let kept = tail.min(self.len - len) as usize;
            self.write(len, &vec![0; kept]);
        }
        self.pages.resize(len.div_ceil(PAGE_BYTES as u64) as usize, None);
        self.len = len;
    }

    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len as usize];
        self.read(0, &mut bytes);
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        content.set_len(bytes.len() as u64);
        content.write(0, bytes);
        content
    }
}

/// Splits a range at page ends: the part of the buffer, and where it lies in the file.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (std::ops::Range<usize>, u64)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let count = (PAGE_BYTES - at as usize % PAGE_BYTES).min(length - done);
        let start = done;
        done += count;
        (count > 0).then_some((start..done, at))
    })
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    File(usize),
    Folder(usize),
}

/// The names of all folders, by the folder's number; that of the instance is 0.
pub type Names = BTreeMap<(usize, String), Node>;

/// What happened to the disk, in order. Files and folders are numbered as they are made.
#[derive(Debug, Clone)]
pub enum Event {
    Create {
        folder: usize,
        name: String,
        node: Node,
    },
    Write {
        file: usize,
        offset: u64,
        bytes: Arc<[u8]>,
    },
    SetLen {
        file: usize,
        len: u64,
    },
    Sync {
        file: usize,
    },
    Rename {
        folder: usize,
        from: String,
        to: String,
    },
    Remove {
        folder: usize,
        name: String,
    },
    SyncNames {
        folder: usize,
    },
    /// Put in by the test: what the store has promised from here on.
    Promised(usize),
}

/// Settings and counters, shared by all handles of a volume.
#[derive(Debug, Default)]
pub struct Knobs {
    pub record: AtomicBool,
    /// A flush returns without having flushed.
    pub skip_sync: AtomicBool,
    /// A flush of the names returns without having flushed.
    pub skip_dir_sync: AtomicBool,
    /// Files cannot have more bytes than this together; 0 = no limit.
    pub capacity_bytes: AtomicU64,
    /// Every flush waits until it is let go of: until `released` has its number.
    pub hold_syncs: AtomicBool,
    pub released: AtomicU64,
    /// Those that nobody let go of within `HELD_MAX`.
    pub overdue: AtomicU64,
    /// Every flush, write and resize fails with this errno; 0 = none does.
    pub fail_errno: AtomicU64,
    /// Waiting until the device has taken a range fails with this errno; 0 = it does not.
    pub write_back_errno: AtomicU64,
    /// The flush of a file that was made shorter fails.
    pub fail_sync_of_cut: AtomicBool,
    /// A large write of zeros panics.
    pub panic_in_zeros: AtomicBool,
    /// How long a large write of zeros takes before it lands.
    pub zeros_delay_ms: AtomicU64,
    /// Such writes under way at this moment.
    pub zeros_under_way: AtomicU64,
    /// Ranges that were sent on their way to the disk without a flush.
    pub writebacks: AtomicU64,
    /// The most bytes of one file that were written and not yet waited for.
    pub owed_bytes_max: AtomicU64,
    pub reads: AtomicU64,
    pub read_bytes: AtomicU64,
    pub syncs: AtomicU64,
    /// The number, from 1, of the held flush that is under way at this moment; 0 = none.
    pub held: AtomicU64,
    pub extends: AtomicU64,
    /// Given back as never written.
    pub freed_bytes: AtomicU64,
    /// Flushes after which the next reads come from stable storage.
    pub forgotten: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Content>,
    /// Of each file, by its number: written, and not yet waited for.
    owed_bytes: BTreeMap<usize, u64>,
    /// Files that were made shorter since their last flush.
    cut: BTreeSet<usize>,
    names: Names,
    /// How often the system was started before.
    boot: u64,
    folders: usize,
    events: Vec<Event>,
    locks: Vec<Lock>,
    handles: u64,
}

#[derive(Debug)]
struct Lock {
    file: usize,
    handle: u64,
    range: LockRange,
    mode: LockMode,
}

/// The names of one instance and their files; the instance's own name does not matter.
#[derive(Debug, Clone, Default)]
pub struct MemoryVolume {
    state: Arc<Mutex<State>>,
    pub knobs: Arc<Knobs>,
    /// The folder that this handle is for; 0 is the instance's.
    folder: usize,
}

impl MemoryVolume {
    /// A volume with these files in it.
    pub fn with_files(files: impl IntoIterator<Item = (String, Content)>) -> Self {
        let (names, files) = files
            .into_iter()
            .enumerate()
            .map(|(number, (name, content))| (((0, name), Node::File(number)), content))
            .unzip();
        Self::with_names(names, files)
    }

    /// A volume with these names and, by their numbers, files in it, of a system just started.
    pub fn with_names(names: Names, files: Vec<Content>) -> Self {
        let volume = Self::default();
        {
            let mut state = volume.lock();
            let numbers = names.values().map(|node| match node {
                Node::File(_) => 0,
                Node::Folder(number) => *number,
            });
            state.folders = numbers.max().unwrap_or(0);
            (state.names, state.files) = (names, files);
        }
        volume.restart();
        volume
    }

    /// The system starts anew; what is on the disk stays.
    pub fn restart(&self) {
        static STARTS: AtomicU64 = AtomicU64::new(1);
        self.lock().boot = STARTS.fetch_add(1, Ordering::Relaxed);
    }

    /// As if the system had never been started anew.
    pub fn of_the_first_start(self) -> Self {
        self.lock().boot = 0;
        self
    }

    /// The same with every file and name a copy of its own.
    pub fn copy(&self) -> Self {
        let state = self.lock();
        Self::with_names(state.names.clone(), state.files.clone())
    }

    /// All names and files.
    pub fn everything(&self) -> (Names, Vec<Content>) {
        let state = self.lock();
        (state.names.clone(), state.files.clone())
    }

    /// Changes a file where it lies, as rot does.
    pub fn change(&self, file: usize, change: impl FnOnce(&mut Content)) {
        change(&mut self.lock().files[file]);
    }

    fn key(&self, name: &str) -> (usize, String) {
        (self.folder, name.to_owned())
    }

    fn file(&self, state: &State, name: &str) -> io::Result<usize> {
        match state.names.get(&self.key(name)) {
            Some(Node::File(file)) => Ok(*file),
            Some(Node::Folder(_)) => Err(io::Error::from_raw_os_error(libc::EISDIR)),
            None => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
    }

    pub fn recording() -> Self {
        let volume = Self::default();
        volume.knobs.record.store(true, Ordering::Relaxed);
        volume
    }

    pub fn as_volume(&self) -> Arc<dyn Volume> {
        Arc::new(self.clone())
    }

    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.lock().events)
    }

    pub fn promise(&self, number: usize) {
        self.lock().events.push(Event::Promised(number));
    }

    pub fn content(&self, name: &str) -> Option<Content> {
        let state = self.lock();
        self.file(&state, name).ok().map(|file| state.files[file].clone())
    }

    pub fn put(&self, name: &str, content: Content) {
        let mut state = self.lock();
        let number = state.files.len();
        state.files.push(content);
        state.names.insert(self.key(name), Node::File(number));
    }

    pub fn names(&self) -> Vec<String> {
        let state = self.lock();
        let own = state.names.keys().filter(|(folder, _)| *folder == self.folder);
        own.map(|(_, name)| name.clone()).collect()
    }

    pub fn disk(&self, name: &str) -> Arc<dyn Disk> {
        self.open(name, Purpose::Read).unwrap()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn handle(&self, state: &mut State, file: usize, purpose: Purpose) -> Arc<dyn Disk> {
        state.handles += 1;
        let handle = state.handles;
        Arc::new(MemoryDisk { volume: self.clone(), file, handle, purpose })
    }

    fn note(&self, state: &mut State, event: Event) {
        if self.knobs.record.load(Ordering::Relaxed) {
            state.events.push(event);
        }
    }

    fn refuse(&self) -> io::Result<()> {
        match self.knobs.fail_errno.load(Ordering::Relaxed) {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno as i32)),
        }
    }
}

impl Volume for MemoryVolume {
    fn make_instance(&self, _instance_id: &str) -> io::Result<Arc<dyn Folder>> {
        Ok(Arc::new(self.clone()))
    }

    fn open_instance(&self, _instance_id: &str) -> io::Result<Arc<dyn Folder>> {
        Ok(Arc::new(self.clone()))
    }

    fn path(&self, instance_id: &str) -> PathBuf {
        PathBuf::from("/memory").join(instance_id)
    }
}

impl Folder for MemoryVolume {
    fn open(&self, name: &str, purpose: Purpose) -> io::Result<Arc<dyn Disk>> {
        let mut state = self.lock();
        let file = self.file(&state, name)?;
        Ok(self.handle(&mut state, file, purpose))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn Disk>> {
        self.refuse()?;
        let mut state = self.lock();
        if state.names.contains_key(&self.key(name)) {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        let file = state.files.len();
        state.files.push(Content::default());
        let node = Node::File(file);
        state.names.insert(self.key(name), node);
        let (folder, name) = self.key(name);
        self.note(&mut state, Event::Create { folder, name, node });
        Ok(self.handle(&mut state, file, Purpose::Write))
    }

    fn contains(&self, name: &str) -> io::Result<bool> {
        Ok(self.lock().names.contains_key(&self.key(name)))
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        if state.names.contains_key(&self.key(to)) {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        let missing = || io::Error::from_raw_os_error(libc::ENOENT);
        let node = state.names.remove(&self.key(from)).ok_or_else(missing)?;
        state.names.insert(self.key(to), node);
        let (folder, to) = self.key(to);
        self.note(&mut state, Event::Rename { folder, from: from.to_owned(), to });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.names.remove(&self.key(name));
        let (folder, name) = self.key(name);
        self.note(&mut state, Event::Remove { folder, name });
        Ok(())
    }

    fn make_folder(&self, name: &str) -> io::Result<Arc<dyn Folder>> {
        self.refuse()?;
        let mut state = self.lock();
        if state.names.contains_key(&self.key(name)) {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        state.folders += 1;
        let (number, node) = (state.folders, Node::Folder(state.folders));
        state.names.insert(self.key(name), node);
        let (folder, name) = self.key(name);
        self.note(&mut state, Event::Create { folder, name, node });
        Ok(Arc::new(Self { folder: number, ..self.clone() }))
    }

    fn open_folder(&self, name: &str) -> io::Result<Arc<dyn Folder>> {
        match self.lock().names.get(&self.key(name)) {
            Some(Node::Folder(folder)) => Ok(Arc::new(Self { folder: *folder, ..self.clone() })),
            Some(Node::File(_)) => Err(io::Error::from_raw_os_error(libc::ENOTDIR)),
            None => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
    }

    fn remove_folder(&self, name: &str) -> io::Result<()> {
        self.remove(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(Self::names(self))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.lock();
        if !self.knobs.skip_dir_sync.load(Ordering::Relaxed) {
            let folder = self.folder;
            self.note(&mut state, Event::SyncNames { folder });
        }
        Ok(())
    }

    fn boot(&self) -> Option<BootId> {
        Some((u128::from(self.lock().boot) + 1).to_be_bytes())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("/memory").join(name)
    }
}

#[derive(Debug)]
struct MemoryDisk {
    volume: MemoryVolume,
    file: usize,
    handle: u64,
    purpose: Purpose,
}

impl MemoryDisk {
    fn check_writable(&self) -> io::Result<()> {
        assert_eq!(self.purpose, Purpose::Write, "a file opened for reading was written");
        self.volume.refuse()
    }

    /// Only one thread flushes, so that these are under way one at a time.
    fn wait_while_held(&self) {
        let knobs = &self.volume.knobs;
        if !knobs.hold_syncs.load(Ordering::SeqCst) {
            return;
        }
        let number = knobs.released.load(Ordering::SeqCst) + 1;
        knobs.held.store(number, Ordering::SeqCst);
        let started = Instant::now();
        while knobs.released.load(Ordering::SeqCst) < number {
            if started.elapsed() > HELD_MAX {
                knobs.overdue.fetch_add(1, Ordering::SeqCst);
                knobs.released.store(number, Ordering::SeqCst);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        knobs.held.store(0, Ordering::SeqCst);
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut state = self.volume.lock();
        let capacity = self.volume.knobs.capacity_bytes.load(Ordering::Relaxed);
        let old_len = state.files[self.file].len();
        let total: u64 = state.files.iter().map(Content::len).sum();
        if capacity != 0 && len > old_len && total - old_len + len > capacity {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        state.files[self.file].set_len(len);
        self.volume.note(&mut state, Event::SetLen { file: self.file, len });
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.volume.lock().files[self.file].len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let knobs = &self.volume.knobs;
        knobs.reads.fetch_add(1, Ordering::Relaxed);
        knobs.read_bytes.fetch_add(out.len() as u64, Ordering::Relaxed);
        let state = self.volume.lock();
        let content = &state.files[self.file];
        if offset + out.len() as u64 > content.len() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        content.read(offset, out);
        Ok(())
    }

    fn write(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        self.check_writable()?;
        let bytes = parts.concat();
        let knobs = &self.volume.knobs;
        let delay = knobs.zeros_delay_ms.load(Ordering::Relaxed);
        let are_zeros = || bytes.len() > PAGE_BYTES && bytes.iter().all(|byte| *byte == 0);
        if knobs.panic_in_zeros.load(Ordering::Relaxed) && are_zeros() {
            panic!("planned: a large write of zeros");
        }
        if delay > 0 && are_zeros() {
            knobs.zeros_under_way.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(delay));
            knobs.zeros_under_way.fetch_sub(1, Ordering::SeqCst);
        }
        let mut state = self.volume.lock();
        let end = offset + bytes.len() as u64;
        if end > state.files[self.file].len() {
            // No assertion: it may be another thread's write, and its run has to hear of it.
            return Err(io::Error::other("a write beyond the allocated space"));
        }
        state.files[self.file].write(offset, &bytes);
        let owed = state.owed_bytes.entry(self.file).or_default();
        *owed += bytes.len() as u64;
        self.volume.knobs.owed_bytes_max.fetch_max(*owed, Ordering::Relaxed);
        let event = Event::Write { file: self.file, offset, bytes: Arc::from(bytes) };
        self.volume.note(&mut state, event);
        Ok(())
    }

    fn extend(&self, from: u64, to: u64) -> io::Result<()> {
        assert_eq!(from, self.len()?, "growth starts at the end");
        self.volume.knobs.extends.fetch_add(1, Ordering::Relaxed);
        self.set_len(to)
    }

    fn free_zeros(&self, from: u64, to: u64) -> io::Result<()> {
        let state = self.volume.lock();
        let mut bytes = vec![1; (to - from) as usize];
        state.files[self.file].read(from, &mut bytes);
        assert!(bytes.iter().all(|byte| *byte == 0), "{from} to {to} are not zero");
        self.volume.knobs.freed_bytes.fetch_add(to - from, Ordering::Relaxed);
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)?;
        self.volume.lock().cut.insert(self.file);
        Ok(())
    }

    fn start_writeback(&self, from: u64, to: u64) {
        assert!(from < to && to <= self.volume.lock().files[self.file].len());
        self.volume.knobs.writebacks.fetch_add(1, Ordering::Relaxed);
    }

    fn write_back(&self, from: u64, to: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut state = self.volume.lock();
        assert!(from < to && to <= state.files[self.file].len());
        let owed = state.owed_bytes.entry(self.file).or_default();
        *owed = owed.saturating_sub(to - from);
        match self.volume.knobs.write_back_errno.load(Ordering::Relaxed) {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno as i32)),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check_writable()?;
        self.wait_while_held();
        self.volume.knobs.syncs.fetch_add(1, Ordering::Relaxed);
        let mut state = self.volume.lock();
        let was_cut = state.cut.remove(&self.file);
        if was_cut && self.volume.knobs.fail_sync_of_cut.load(Ordering::Relaxed) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        state.owed_bytes.remove(&self.file);
        if !self.volume.knobs.skip_sync.load(Ordering::Relaxed) {
            self.volume.note(&mut state, Event::Sync { file: self.file });
        }
        Ok(())
    }

    fn forget_cached(&self) -> io::Result<()> {
        self.volume.knobs.forgotten.fetch_add(1, Ordering::Relaxed);
        self.sync_data()
    }

    fn lock(&self, range: LockRange, mode: LockMode, wait: bool) -> io::Result<bool> {
        let mut state = self.volume.lock();
        let is_taken = state.locks.iter().any(|lock| {
            (lock.file, lock.handle) != (self.file, self.handle)
                && lock.file == self.file
                && (lock.mode == LockMode::Exclusive || mode == LockMode::Exclusive)
                && overlap(lock.range, range)
        });
        assert!(!(is_taken && wait), "nothing here waits for a lock");
        if !is_taken {
            state.locks.push(Lock { file: self.file, handle: self.handle, range, mode });
        }
        Ok(!is_taken)
    }

    fn unlock(&self, range: LockRange) -> io::Result<()> {
        let mut state = self.volume.lock();
        state.locks.retain(|lock| lock.handle != self.handle || lock.range != range);
        Ok(())
    }

    fn is_locked_elsewhere(&self, range: LockRange) -> io::Result<bool> {
        let state = self.volume.lock();
        Ok(state.locks.iter().any(|lock| {
            lock.file == self.file && lock.handle != self.handle && overlap(lock.range, range)
        }))
    }

    fn unlock_all(&self) -> io::Result<()> {
        self.volume.lock().locks.retain(|lock| lock.handle != self.handle);
        Ok(())
    }
}

impl Drop for MemoryDisk {
    fn drop(&mut self) {
        let _ = self.unlock_all();
    }
}

fn overlap(a: LockRange, b: LockRange) -> bool {
    let start = |range: LockRange| match range.0 {
        Bound::Unbounded => 0,
        Bound::Included(at) => at,
        Bound::Excluded(at) => at + 1,
    };
    let end = |range: LockRange| match range.1 {
        Bound::Unbounded => u64::MAX,
        Bound::Included(at) => at + 1,
        Bound::Excluded(at) => at,
    };
    start(a) < end(b) && start(b) < end(a)
}
