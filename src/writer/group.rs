//! When a group is cut: a pure function of what it holds and what would come next.

use super::handoff::queue::Size;

/// How large a group may grow.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupLimits {
    pub(super) entries_max: u64,
    pub(super) bytes_max: u64,
}

/// Whether the next claim still belongs to a group of this size. A claim is never split, and a
/// larger one is a group of its own.
pub(super) fn admits(group: Size, next: Size, limits: GroupLimits) -> bool {
    group.entries == 0
        || (group.entries + next.entries <= limits.entries_max
            && group.bytes + next.bytes <= limits.bytes_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: GroupLimits = GroupLimits { entries_max: 4, bytes_max: 100 };

    fn groups(claims: &[(u64, u64)]) -> Vec<u64> {
        let mut groups = Vec::new();
        let mut group = Size::default();
        for &(entries, bytes) in claims {
            let claim = Size { entries, bytes };
            if !admits(group, claim, LIMITS) {
                groups.push(group.entries);
                group = Size::default();
            }
            group.entries += entries;
            group.bytes += bytes;
        }
        groups.push(group.entries);
        groups
    }

    /// Groups close at either limit, claims stay whole, and one beyond the limits stands alone.
    #[test]
    fn claims_stay_whole_and_limits_hold() {
        assert_eq!(groups(&[(1, 10); 9]), [4, 4, 1]);
        assert_eq!(groups(&[(1, 60), (1, 60), (1, 40)]), [1, 2]);
        assert_eq!(groups(&[(3, 1), (3, 1), (1, 1)]), [3, 4]);
        assert_eq!(groups(&[(1, 1), (9, 1), (1, 1)]), [1, 9, 1]);
        assert_eq!(groups(&[(1, 1), (1, 900), (1, 1)]), [1, 1, 1]);
    }
}
