//! The guard around every exported function: no panic leaves the library, none is printed.
//!
//! A hook, installed once, keeps text and place of a panic inside our calls and threads, and
//! leaves all others to the host's own hook. The guard is a macro around the body, so that the
//! function itself stands in plain text where cbindgen can see it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use super::error::{Refusal, es_error};
use super::out;
use super::status::{ES_OK, es_status};
use crate::error::panic_text;
use crate::planted::planted;
use crate::platform::thread;

/// Runs the body of an exported function, whose last value is a `Result<(), Refusal>`.
macro_rules! guarded {
    ($err:expr, $body:block) => {
        $crate::ffi::panic::guard($err, || -> Result<(), $crate::ffi::error::Refusal> { $body })
    };
}
pub(super) use guarded;

thread_local! {
    /// How many of our calls this thread is in; more than one when the host's callback calls us.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Answers what the body answers; `err`, where the host gave one, is written on failure only.
pub(super) fn guard(err: *mut es_error, body: impl FnOnce() -> Result<(), Refusal>) -> es_status {
    install_hook();
    DEPTH.set(DEPTH.get() + 1);
    // What a panic leaves half done is behind handles, which the header says to free after it.
    let answer = panic::catch_unwind(AssertUnwindSafe(|| {
        assert!(!planted("panic_in_call"), "planted at the start of a call");
        body()
    }));
    DEPTH.set(DEPTH.get() - 1);
    let refusal = match answer {
        Ok(Ok(())) => return ES_OK,
        Ok(Err(refusal)) => refusal,
        Err(payload) => caught(payload),
    };
    // SAFETY: `err` is NULL or the caller's es_error, as the header demands of every call.
    unsafe { out::put_unless_null(err, refusal.to_error()) };
    refusal.status()
}

#[cold]
fn caught(payload: Box<dyn Any + Send>) -> Refusal {
    if !payload.is::<&str>() && !payload.is::<String>() {
        // Dropping a payload of another type may panic again, outside the guard.
        std::mem::forget(payload);
    }
    Refusal::Panic(LAST_PANIC.take())
}

fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let hosts = panic::take_hook();
        panic::set_hook(Box::new(move |info| if is_ours() { keep(info) } else { hosts(info) }));
    });
}

/// A call of the host's, or a thread of the store's: a panic there halts the run, whose reason
/// tells of it.
fn is_ours() -> bool {
    // `try_with`, since a thread may panic while its locals are being destroyed.
    DEPTH.try_with(Cell::get).is_ok_and(|depth| depth > 0) || thread::is_own()
}

fn keep(info: &PanicHookInfo<'_>) {
    let text = panic_text(info.payload());
    let mut kept = String::new();
    let _ = match info.location() {
        Some(place) => write!(kept, "{} line {}: {text}", place.file(), place.line()),
        None => kept.write_str(text),
    };
    let _ = LAST_PANIC.try_with(|last| last.replace(kept));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::status::ES_ERR_PANIC;
    use std::ffi::CStr;

    /// A panic becomes a status, and its text and place reach the caller.
    #[test]
    fn panic_in_a_body_is_answered_with_text_and_place() {
        let mut err = Refusal::Panic(String::new()).to_error();
        let status = guard(&raw mut err, || panic!("invariant 7 does not hold"));
        assert_eq!((status, err.code), (ES_ERR_PANIC, ES_ERR_PANIC));
        let bytes: Vec<u8> = err.message.iter().map(|byte| *byte as u8).collect();
        let text = CStr::from_bytes_until_nul(&bytes).unwrap().to_str().unwrap();
        assert!(text.contains("src/ffi/panic.rs line"), "{text}");
        assert!(text.ends_with("invariant 7 does not hold"), "{text}");
    }

    /// After a caught panic the thread is outside again, so that the host's panics are its own.
    #[test]
    fn depth_returns_to_zero_after_a_panic() {
        guard(std::ptr::null_mut(), || panic!("caught"));
        assert_eq!(DEPTH.get(), 0);
    }
}
