//! `es_status`: the one numbered table of what a call can answer.
//!
//! The table makes the constants, the names, the static texts, the two predicates, and (through
//! `tests/header.rs`) the constants and comments of `include/eventstore.h`. A number is never
//! changed or reused. It does not decide anything: which error gets which number is `error`.

use std::ffi::{CStr, c_char};

/// What a call answered: ES_OK (0), or one of the negative ES_ERR_* numbers. Positive numbers are
/// never returned. Compare with the constants; a number that your header does not name is a
/// failure all the same.
pub type es_status = i32;

/// One answer: its number, its name, and what to do about it.
#[derive(Debug)]
pub struct StatusRow {
    /// The heading of its band in the header.
    pub band: &'static str,
    /// The number.
    pub code: es_status,
    /// The constant's name.
    pub name: &'static CStr,
    /// What happened, in one short static sentence.
    pub message: &'static CStr,
    /// What the caller does next; it follows the message in the header.
    pub advice: &'static str,
    /// Whether the same call may succeed later although the caller changes nothing.
    pub retryable: bool,
    /// Whether the object takes no more work.
    pub fatal: bool,
}

/// A C string from a literal that ends in NUL; anything else does not compile.
const fn text(bytes: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(bytes.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("no NUL at the end, or one inside"),
    }
}

macro_rules! statuses {
    ($($band:literal: {
        $($name:ident = $code:literal, $message:literal, $advice:literal $(, $mark:ident)?;)*
    })*) => {
        $($(
            #[doc = concat!($message, ". ", $advice)]
            pub const $name: es_status = $code;
        )*)*
        /// Every answer, in the order of the header.
        pub static STATUSES: &[StatusRow] = &[$($(StatusRow {
            band: $band,
            code: $code,
            name: text(concat!(stringify!($name), "\0")),
            message: text(concat!($message, "\0")),
            advice: $advice,
            retryable: statuses!(@is retryable $($mark)?),
            fatal: statuses!(@is fatal $($mark)?),
        },)*)*];
    };
    (@is retryable retryable) => { true };
    (@is fatal fatal) => { true };
    (@is $mark:ident $($other:ident)?) => { false };
}

statuses! {
    "success": {
        ES_OK = 0, "done", "Nothing to do.";
    }
    "the caller's mistake: nothing was done; correct the call": {
        ES_ERR_NULL_POINTER = -1, "a pointer that must not be NULL is NULL",
            "Pass the parameter that err->message names.";
        ES_ERR_INVALID_ARGUMENT = -2, "an argument is outside its documented bounds",
            "err->message names it, err->item_index the item of a batch or list.";
        ES_ERR_STRUCT_SIZE = -3, "a struct size or stride is impossible",
            "Initialise with ES_X_INIT or es_init_x and pass sizeof as the size.";
        ES_ERR_UNSUPPORTED_FIELD = -4, "a flag or field is set that this library does not know",
            "Clear reserved fields and unknown flags, or use a newer library.";
        ES_ERR_BAD_HANDLE = -5, "the handle is NULL, freed, of another type or no handle at all",
            "Use the handle that an es_open_* call gave, before it is freed.";
        ES_ERR_BUFFER_TOO_SMALL = -6, "the buffer is too small",
            "Call again with a buffer of at least err->required bytes.";
        ES_ERR_ABI_MISMATCH = -7, "header and library are of different interface versions",
            "Initialise options with ES_X_INIT and link the library of that header.";
        ES_ERR_USED_AFTER_FORK = -8, "the handle was made before a fork and is used in the child",
            "Open a run or reader of the child's own.";
        ES_ERR_INVALID_UTF8 = -9, "a text is not UTF-8",
            "err->message names it, err->item_index the item of a batch or list.";
        ES_ERR_UNSUPPORTED = -10, "the backend or the platform cannot do this",
            "Choose another backend or option.";
        ES_ERR_BUSY = -11, "the call is re-entrant, or the object serves another thread",
            "Call from outside the callback, or when the other thread has returned.", retryable;
    }
    "the state of things: trying again, or another name, may help": {
        ES_ERR_QUEUE_FULL = -100, "the queue has no room",
            "Nothing was claimed. Try again, or submit with a timeout.", retryable;
        ES_ERR_TIMEOUT = -101, "the time is up",
            "Nothing was lost. Call again to go on waiting.", retryable;
        ES_ERR_LOCKED = -102, "another writer, recovery or reader holds the lock",
            "Try again when it is gone.", retryable;
        ES_ERR_CLOSED = -103, "the run is sealed or closing",
            "It takes no more entries. Open a new run.";
        ES_ERR_OUT_OF_ORDER = -104, "the expected sequence is not the next one",
            "Nothing was claimed. Compare err->seq with err->next_seq.";
        ES_ERR_ALREADY_EXISTS = -105, "a sealed run of this name exists",
            "Choose another run id.";
        ES_ERR_NOT_FOUND = -106, "no such run, file, entry, key, anchor or digest",
            "Nothing to do, or correct the name.";
        ES_ERR_NOT_SEALED = -107, "the run is not sealed, or was not closed in order",
            "Recover it, or read it with es_open_crashed_run.";
        ES_ERR_CRASHED_PREDECESSOR = -108, "a run of this name was left unsealed",
            "Read and seal it with es_open_crashed_run, or choose another run id.";
    }
    "damaged data: do not write to the file; verify it": {
        ES_ERR_CORRUPTED = -200, "the file's structure is damaged",
            "Keep a copy; verify or salvage it.";
        ES_ERR_HASH_MISMATCH = -201, "an entry does not match its hash",
            "err->seq is damaged. A scan goes on from err->seq + 1.";
        ES_ERR_SEQ_MISMATCH = -202, "a row holds the entry of another sequence",
            "Row err->seq holds entry err->next_seq. A scan goes on from err->seq + 1.";
        ES_ERR_GAP = -203, "an entry inside the high-watermark is missing",
            "err->seq is the first missing, err->next_seq the next present one.";
        ES_ERR_UNSUPPORTED_FORMAT = -204, "the file's format is not known to this library",
            "Nothing was changed. Use a library of format err->format_found; 0: see err->message.";
    }
    "the environment": {
        ES_ERR_DISK = -300, "the storage refuses the write",
            "Free space or raise the limit. A writing run has halted: close it, then recover it.";
        ES_ERR_BACKEND = -301, "the backend failed",
            "err->message and err->os_errno say why. A writing run has halted: close it.";
        ES_ERR_OUT_OF_MEMORY = -302, "no memory for the call",
            "Nothing was claimed or written. Free memory, then try again.";
    }
    "fatal: the object takes no more work": {
        ES_ERR_HALTED = -400, "the run has halted",
            "es_get_run_state names the first reason. Close it, then recover it.", fatal;
        ES_ERR_PANIC = -401, "the library failed an internal check",
            "Free the handle; err->message holds the text to report.", fatal;
    }
}

/// The row of a number, if it has one.
pub(super) fn row(code: es_status) -> Option<&'static StatusRow> {
    STATUSES.iter().find(|row| row.code == code)
}

/// Gives the name of a status, such as "ES_ERR_QUEUE_FULL".
/// @param status  any number
/// @return static text, never NULL; "unknown status" for a number without a name.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn es_status_name(status: es_status) -> *const c_char {
    row(status).map_or(c"unknown status", |row| row.name).as_ptr()
}

/// Gives a short English sentence for a status.
/// @param status  any number
/// @return static text, never NULL; "unknown status" for a number without a name.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn es_status_message(status: es_status) -> *const c_char {
    row(status).map_or(c"unknown status", |row| row.message).as_ptr()
}

/// Tells whether the same call may succeed later although the caller changes nothing.
/// @param status  any number
/// @return 1 for ES_ERR_QUEUE_FULL, ES_ERR_TIMEOUT, ES_ERR_LOCKED and ES_ERR_BUSY, else 0.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn es_status_is_retryable(status: es_status) -> i32 {
    row(status).is_some_and(|row| row.retryable).into()
}

/// Tells whether the object that answered it takes no more work: close and free it.
/// @param status  any number
/// @return 1 for ES_ERR_HALTED and ES_ERR_PANIC, else 0.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn es_status_is_fatal(status: es_status) -> i32 {
    row(status).is_some_and(|row| row.fatal).into()
}
