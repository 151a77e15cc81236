//! Which process a handle belongs to.

use crate::platform::descriptor;

/// How many forks lie between this process and the one that loaded the library.
pub(super) fn generation() -> u32 {
    descriptor::fork_generation()
}

/// Makes sure that a fork is noticed, before the first handle is given out: a memory run opens no
/// descriptor that would have seen to it.
pub(super) fn watch() {
    descriptor::ensure_fork_hooks();
}
