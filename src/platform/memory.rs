//! Keeps memory of the process from being paged out.
//!
//! The kernel locks whole pages and does not count how often, while on a page of the heap things of
//! several owners lie. So the users of each locked page are counted here, and a page is unlocked
//! when its last user is gone. What the host locks on its own is not known to this.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::ptr;

use parking_lot::Mutex;

use super::descriptor::{fork_generation, hold_off_forks};

/// The locked pages of this process, and how many places each belongs to.
struct Pages {
    users: BTreeMap<usize, u32>,
    generation: u32,
}

/// Only taken while forks are held off, so that a child never finds it taken.
static PAGES: Mutex<Pages> = Mutex::new(Pages { users: BTreeMap::new(), generation: 0 });

/// Places in memory that are locked until this is dropped. Drop it before they are freed.
#[derive(Debug)]
pub(crate) struct LockedMemory {
    /// Numbers of pages, in order, none twice.
    pages: Vec<Range<usize>>,
    generation: u32,
}

impl LockedMemory {
    /// Locks the pages that these places, given by their addresses, lie on.
    ///
    /// # Errors
    /// The kernel's refusal, mostly that the limit of [`lock_limit_bytes`] is too low. Nothing
    /// is locked then.
    pub(crate) fn lock(places: Vec<Range<usize>>) -> io::Result<Self> {
        let pages = pages_of(places);
        change_users(|users| {
            for page in pages.iter().cloned().flatten() {
                *users.entry(page).or_insert(0) += 1;
            }
        });
        // From here on a drop gives back what was counted, locked or not.
        let locked = Self { pages, generation: fork_generation() };
        for run in &locked.pages {
            // SAFETY: the kernel checks the range, and locking changes no content.
            if unsafe { libc::mlock(address(run.start), run.len() * page_bytes()) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(locked)
    }
}

impl Drop for LockedMemory {
    fn drop(&mut self) {
        if self.generation != fork_generation() {
            return; // a child inherits no locks
        }
        change_users(|users| {
            for page in self.pages.iter().cloned().flatten() {
                let count = users.get_mut(&page).expect("counted when it was locked");
                *count -= 1;
                if *count == 0 {
                    users.remove(&page);
                    // SAFETY: the kernel checks the page, and unlocking changes no content. Of a
                    // page that the heap gave back meanwhile it says so, which needs no answer.
                    unsafe { libc::munlock(address(page), page_bytes()) };
                }
            }
        });
    }
}

/// How many bytes the process may lock in all; `None` without a limit.
pub(crate) fn lock_limit_bytes() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer.
    let refused = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } != 0;
    (!refused && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

fn change_users(change: impl FnOnce(&mut BTreeMap<usize, u32>)) {
    let _forks_wait = hold_off_forks();
    let mut pages = PAGES.lock();
    if pages.generation != fork_generation() {
        *pages = Pages { users: BTreeMap::new(), generation: fork_generation() };
    }
    change(&mut pages.users);
}

/// The pages that places lie on, joined where they touch.
fn pages_of(places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let size = page_bytes();
    let places = places.into_iter().filter(|place| !place.is_empty());
    let mut pages: Vec<Range<usize>> =
        places.map(|place| place.start / size..place.end.div_ceil(size)).collect();
    pages.sort_by_key(|range| range.start);
    pages.dedup_by(|next, before| {
        let joined = next.start <= before.end;
        if joined {
            before.end = before.end.max(next.end);
        }
        joined
    });
    pages
}

fn address(page: usize) -> *const libc::c_void {
    ptr::without_provenance(page * page_bytes())
}

/// The length of a page, in bytes.
pub(crate) fn page_bytes() -> usize {
    // SAFETY: asks for a number.
    let answer = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(answer).expect("every system has a page size")
}

#[cfg(test)]
mod tests {
    use super::{LockedMemory, page_bytes, pages_of};

    fn locked_bytes() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("VmLck");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
    }

    /// A page of two users stays locked until both are gone.
    #[test]
    #[cfg(target_os = "linux")]
    fn page_of_two_users_stays_locked_until_both_are_gone() {
        let size = page_bytes();
        let memory = vec![1_u8; 3 * size];
        let page = memory.as_ptr().addr().next_multiple_of(size);
        let before = locked_bytes();
        let first = LockedMemory::lock(std::iter::once(page..page + 10).collect()).unwrap();
        let second =
            LockedMemory::lock(std::iter::once(page + 20..page + size + 1).collect()).unwrap();
        assert_eq!(locked_bytes() - before, 2 * size);
        drop(first);
        assert_eq!(locked_bytes() - before, 2 * size);
        drop(second);
        assert_eq!(locked_bytes(), before);
    }

    /// Pages are named once, however places lie on them.
    #[test]
    fn pages_of_places_are_joined() {
        let size = page_bytes();
        let places =
            vec![3 * size + 1..3 * size + 2, 9..10, 10..size + 1, 7..7, 2 * size..3 * size];
        assert!(pages_of(places).into_iter().eq(std::iter::once(0..4)));
        assert_eq!(pages_of(vec![5 * size..6 * size, 0..1]), [0..1, 5..6]);
        assert_eq!(pages_of(vec![]), []);
    }
}
