//! Every descriptor of the store: opened, registered and closed here, and nowhere else.
//!
//! A forked child must neither keep a dead parent's run locked nor touch a living parent's files,
//! so the child's first act is to close every registered descriptor (close alone: an unlock would
//! release the parent's lock). The registry's lock is held over open + register and deregister +
//! close only, never over I/O, so that the handler before a fork never waits for the disk.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, RawFd};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, Ordering};

const CHUNK_SLOTS: usize = 256;
const FREE: RawFd = -1;
/// Descriptors 0 to 2 are where a host prints; a store's file must never stand there.
const LOWEST_DESCRIPTOR: RawFd = 3;

/// A part of the registry; parts are never given back, so that the child walks them without a lock.
struct Chunk {
    slots: [AtomicI32; CHUNK_SLOTS],
    next: AtomicPtr<Chunk>,
}

impl Chunk {
    const fn new() -> Self {
        Self {
            slots: [const { AtomicI32::new(FREE) }; CHUNK_SLOTS],
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    fn next(&self) -> Option<&'static Chunk> {
        // SAFETY: `next` is null or comes from `Box::leak` in `free_slot`, so it stays valid.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }
}

static FIRST: Chunk = Chunk::new();
static LOCKED: AtomicBool = AtomicBool::new(false);
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between this process and the one that loaded the library. A handle made in
/// another generation belongs to the parent.
pub(crate) fn fork_generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Installs the fork handlers, once in the life of the process.
pub(crate) fn ensure_fork_hooks() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: the three handlers are functions of this library, which is linked `nodelete`;
        // they use atomics and `close` alone.
        let refused = unsafe {
            libc::pthread_atfork(Some(before_fork), Some(after_fork_parent), Some(after_fork_child))
        };
        assert_eq!(refused, 0, "pthread_atfork has memory for one entry");
    });
}

extern "C" fn before_fork() {
    lock();
}

extern "C" fn after_fork_parent() {
    unlock();
}

extern "C" fn after_fork_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    let mut chunk = Some(&FIRST);
    while let Some(part) = chunk {
        for slot in &part.slots {
            let fd = slot.swap(FREE, Ordering::Relaxed);
            if fd != FREE && !crate::planted::planted("fork_keeps_descriptors") {
                // SAFETY: `fd` was registered when the parent held the lock for this fork, so it
                // is one of ours, open in this child, and nothing in the child has used it yet.
                unsafe { libc::close(fd) };
            }
        }
        chunk = part.next();
    }
    unlock();
}

/// A spin lock, because a handler between fork and exec may use nothing that allocates or parks.
fn lock() {
    while LOCKED.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        std::thread::yield_now();
    }
}

fn unlock() {
    LOCKED.store(false, Ordering::Release);
}

/// Keeps every fork of the process waiting until it is dropped: for short steps that a child must
/// not find half done.
pub(crate) fn hold_off_forks() -> impl Drop {
    Registry::hold()
}

struct Registry;

impl Registry {
    fn hold() -> Self {
        ensure_fork_hooks();
        lock();
        Self
    }

    /// Only while held: the slot stays free until the caller fills it.
    fn free_slot(&self) -> &'static AtomicI32 {
        let mut chunk = &FIRST;
        loop {
            let free = chunk.slots.iter().find(|slot| slot.load(Ordering::Relaxed) == FREE);
            if let Some(slot) = free {
                return slot;
            }
            chunk = chunk.next().unwrap_or_else(|| {
                let added: &'static Chunk = Box::leak(Box::new(Chunk::new()));
                chunk.next.store(ptr::from_ref(added).cast_mut(), Ordering::Release);
                added
            });
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        unlock();
    }
}

/// An open descriptor, closed when dropped; in a forked child it is closed already.
#[derive(Debug)]
pub(crate) struct Descriptor {
    fd: RawFd,
    slot: &'static AtomicI32,
    generation: u32,
}

impl Descriptor {
    /// Makes a descriptor with `open`, which answers it or -1 and `errno`, and registers it.
    fn register(open: impl Fn() -> RawFd) -> io::Result<Self> {
        let registry = Registry::hold();
        let mut fd = retry(&open)?;
        if fd < LOWEST_DESCRIPTOR {
            // SAFETY: `fd` was just opened; the copy is a descriptor of its own.
            let raised =
                retry(|| unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, LOWEST_DESCRIPTOR) });
            // SAFETY: `fd` was just opened and nobody else knows it.
            unsafe { libc::close(fd) };
            fd = raised?;
        }
        let slot = registry.free_slot();
        slot.store(fd, Ordering::Relaxed);
        Ok(Self { fd, slot, generation: fork_generation() })
    }

    /// Opens `name` below `directory` (or as a path of its own), never following a symbolic link
    /// in its last component, close-on-exec, without waiting for the other end of a FIFO.
    pub(crate) fn open(
        directory: Option<&Descriptor>,
        name: &CStr,
        flags: libc::c_int,
    ) -> io::Result<Self> {
        let at = directory.map_or(libc::AT_FDCWD, Descriptor::raw);
        let flags = flags | libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
        // SAFETY: `name` is NUL-terminated and outlives the call.
        Self::register(|| unsafe { libc::openat(at, name.as_ptr(), flags, 0o600) })
    }

    /// Opens a directory by its path, following symbolic links: the host's own choice of a base.
    pub(crate) fn open_base(path: &CStr) -> io::Result<Self> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: `path` is NUL-terminated and outlives the call.
        Self::register(|| unsafe { libc::open(path.as_ptr(), flags) })
    }

    /// A counter that can be waited for with `poll`, read without blocking.
    pub(crate) fn eventfd() -> io::Result<Self> {
        // SAFETY: no pointers.
        Self::register(|| unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
    }

    /// Makes an eventfd readable.
    pub(crate) fn signal(&self) -> io::Result<()> {
        let one = 1u64.to_ne_bytes();
        // SAFETY: `one` is 8 readable bytes.
        let written = unsafe { libc::write(self.raw(), one.as_ptr().cast(), one.len()) };
        match written {
            -1 => match io::Error::last_os_error() {
                // The counter is at its end: it is readable, which is all that is asked.
                error if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
                error => Err(error),
            },
            _ => Ok(()),
        }
    }

    /// The number, or -1 in a forked child, where the number may be another file by now.
    pub(crate) fn raw(&self) -> RawFd {
        if self.generation == fork_generation() { self.fd } else { FREE }
    }

    /// Lends the descriptor to `make`, which builds something around a `File`; that is closed
    /// together with the descriptor, through the registry.
    pub(crate) fn wrap<T>(self, make: impl FnOnce(File) -> T) -> Wrapped<T> {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the file is the only owner of the descriptor; it is
        // dropped by `Wrapped` alone, under the registry's lock.
        let file = unsafe { File::from_raw_fd(this.fd) };
        Wrapped {
            inner: ManuallyDrop::new(make(file)),
            fd: this.fd,
            slot: this.slot,
            generation: this.generation,
        }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let _registry = Registry::hold();
        if self.generation == fork_generation() {
            self.slot.store(FREE, Ordering::Relaxed);
            // SAFETY: this value owns `fd`, which was open in this generation until now.
            unsafe { libc::close(self.fd) };
        }
    }
}

/// A value that owns a registered descriptor, closed when dropped.
#[derive(Debug)]
pub(crate) struct Wrapped<T> {
    inner: ManuallyDrop<T>,
    fd: RawFd,
    slot: &'static AtomicI32,
    generation: u32,
}

impl<T> Wrapped<T> {
    /// The value.
    pub(crate) fn get(&self) -> &T {
        &self.inner
    }

    /// The number, or -1 in a forked child.
    pub(crate) fn raw(&self) -> RawFd {
        if self.generation == fork_generation() { self.fd } else { FREE }
    }
}

impl<T> Drop for Wrapped<T> {
    fn drop(&mut self) {
        let _registry = Registry::hold();
        if self.generation == fork_generation() {
            self.slot.store(FREE, Ordering::Relaxed);
            // SAFETY: dropped once, here; in a forked child it is leaked instead, because its
            // descriptor was closed by the fork handler and the number may be reused.
            unsafe { ManuallyDrop::drop(&mut self.inner) };
        }
    }
}

/// Repeats a call that a signal interrupted; -1 is an error with `errno`.
pub(crate) fn retry(call: impl Fn() -> libc::c_int) -> io::Result<libc::c_int> {
    loop {
        match call() {
            -1 => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
            answer => return Ok(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More descriptors than one part of the registry holds are all registered and all let go.
    #[test]
    fn registry_grows_and_reuses_slots() {
        let many: Vec<Descriptor> =
            (0..CHUNK_SLOTS + 20).map(|_| Descriptor::eventfd().unwrap()).collect();
        assert!(many.iter().all(|one| one.raw() >= LOWEST_DESCRIPTOR));
        assert!(many.iter().all(|one| one.slot.load(Ordering::Relaxed) == one.raw()));
        let slots: Vec<_> = many.iter().map(|one| one.slot).collect();
        let numbers: Vec<_> = many.iter().map(Descriptor::raw).collect();
        drop(many);
        for (slot, number) in slots.into_iter().zip(numbers) {
            assert_ne!((slot.load(Ordering::Relaxed), FREE), (number, number));
        }
    }

    /// A child finds every registered descriptor closed, and knows that it is a child.
    #[test]
    fn forked_child_has_none_of_the_descriptors() {
        let kept = Descriptor::eventfd().unwrap();
        let generation = fork_generation();
        // SAFETY: the child only calls `fcntl` and `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: a query of a descriptor number, open or not; then the child ends.
            unsafe {
                let open = libc::fcntl(kept.fd, libc::F_GETFD) != -1;
                let counted = fork_generation() == generation + 1;
                libc::_exit(i32::from(open) + 2 * i32::from(!counted));
            }
        }
        let mut status = 0;
        // SAFETY: `status` is a valid place for the result.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "1: the child kept it open, 2: it was not counted");
        assert!(kept.signal().is_ok(), "the parent's own stays open");
    }
}
