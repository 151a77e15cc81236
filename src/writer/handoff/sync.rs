//! The one door to atomics, locks and cells, so that a model checker can take their place.

#[cfg(loom)]
pub(crate) use loom::sync::Arc;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::Arc;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use std::ops::{Deref, DerefMut};
use std::time::Instant;

/// Keeps a word on a cache line of its own; two lines, since processors fetch them in pairs.
#[repr(align(128))]
pub(crate) struct Padded<T>(T);

impl<T> Padded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A cell that one thread writes while no other looks; the model checker verifies just that.
#[cfg(not(loom))]
pub(crate) struct Cell<T>(std::cell::UnsafeCell<T>);
#[cfg(loom)]
pub(crate) struct Cell<T>(loom::cell::UnsafeCell<T>);

impl<T> Cell<T> {
    #[cfg(not(loom))]
    pub(crate) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[cfg(loom)]
    pub(crate) fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    /// Hands out the pointer for the length of the call; what may be done with it is the
    /// caller's proof.
    #[cfg(not(loom))]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }

    #[cfg(loom)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(f)
    }
}

/// A mutex and the condition that its data changed.
#[cfg(not(loom))]
pub(crate) struct Monitor<T> {
    data: parking_lot::Mutex<T>,
    changed: parking_lot::Condvar,
}

#[cfg(loom)]
pub(crate) struct Monitor<T> {
    data: loom::sync::Mutex<T>,
    changed: loom::sync::Condvar,
}

/// Access to a monitor's data.
#[cfg(not(loom))]
pub(crate) struct Guard<'a, T>(parking_lot::MutexGuard<'a, T>);
#[cfg(loom)]
pub(crate) struct Guard<'a, T>(loom::sync::MutexGuard<'a, T>);

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

#[cfg(not(loom))]
impl<T> Monitor<T> {
    pub(crate) fn new(data: T) -> Self {
        Self { data: parking_lot::Mutex::new(data), changed: parking_lot::Condvar::new() }
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        Guard(self.data.lock())
    }

    /// Waits for a notification, until the deadline if there is one. May return without either.
    pub(crate) fn wait<'a>(
        &'a self,
        mut guard: Guard<'a, T>,
        deadline: Option<Instant>,
    ) -> Guard<'a, T> {
        match deadline {
            None => self.changed.wait(&mut guard.0),
            Some(at) => {
                self.changed.wait_until(&mut guard.0, at);
            }
        }
        guard
    }

    pub(crate) fn notify_all(&self) {
        self.changed.notify_all();
    }
}

/// Under the model no time passes: a wake-up that never comes is a deadlock, which it reports.
#[cfg(loom)]
impl<T> Monitor<T> {
    pub(crate) fn new(data: T) -> Self {
        Self { data: loom::sync::Mutex::new(data), changed: loom::sync::Condvar::new() }
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        Guard(self.data.lock().expect("no model thread panics while it holds a lock"))
    }

    pub(crate) fn wait<'a>(
        &'a self,
        guard: Guard<'a, T>,
        _deadline: Option<Instant>,
    ) -> Guard<'a, T> {
        Guard(self.changed.wait(guard.0).expect("no model thread panics while it holds a lock"))
    }

    pub(crate) fn notify_all(&self) {
        self.changed.notify_all();
    }
}
