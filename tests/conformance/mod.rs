//! The behaviours that every backend shows, each a function over a
//! [`fixture::Fixture`].
//!
//! A backend joins with a fixture and one `conformance_suite!` line. `behaviours!` lists what is
//! asked of all, `durable_behaviours!` what is asked of those whose runs outlive their store. A
//! behaviour that is in neither list is dead code, which the lints refuse.
// A test binary has no outside to reach `pub` items from.
#![allow(unreachable_pub)]

pub mod anchor;
pub mod append;
pub mod crash;
pub mod durable;
pub mod fixture;
pub mod flawed;
pub mod index;
pub mod live;
pub mod log_runs;
pub mod model;
pub mod opening;
pub mod redb_runs;
pub mod scan;
pub mod seal;
pub mod time;

/// Calls `$callback! { $arguments; module::behaviour, ... }` with what every backend does.
#[macro_export]
macro_rules! behaviours {
    ($callback:ident, $($argument:tt)*) => {
        $callback! { $($argument)*;
            opening::new_run_is_running_and_empty,
            opening::manifest_reads_as_given_until_sealed,
            opening::second_open_while_unsealed_is_refused_and_harmless,
            opening::sealed_and_closed_name_is_already_exists_and_unchanged,
            opening::abandoned_name_is_crashed_predecessor,
            opening::name_closed_while_running_is_crashed_predecessor,
            opening::name_sealed_but_not_closed_is_crashed_predecessor,
            opening::next_run_opens_after_seal_and_former_stays_whole,
            opening::path_like_ids_are_refused,
            opening::calls_without_a_run_answer_backend,
            append::entries_of_every_shape_read_back_equal,
            append::largest_allowed_texts_and_keys_read_back_equal,
            append::empty_batch_changes_nothing,
            append::out_of_order_names_durable_and_offending_seq_and_writes_nothing,
            append::append_after_seal_is_closed_and_changes_nothing,
            append::first_key_wins_within_a_batch_and_across,
            append::batch_of_the_largest_count_is_one_commit,
            append::recorded_keys_are_those_given_with_duplicates_in_order,
            append::wrong_stored_hash_surfaces_after_the_good_rows,
            scan::every_range_equals_the_naive_slice,
            scan::visitor_that_breaks_sees_no_further_row,
            scan::rows_carry_the_keys_they_were_committed_with,
            scan::hundred_thousand_rows_stream_both_ways,
            scan::single_rows_are_found_and_clamped,
            scan::writer_commits_while_a_visitor_waits,
            scan::scans_nest,
            index::lookup_finds_the_first_seq_of_a_key,
            index::keys_come_in_byte_order,
            index::iteration_resumes_after_any_key,
            index::iteration_ends_early_on_break,
            index::pages_join_to_the_whole_index,
            index::writer_commits_while_an_index_visitor_waits,
            anchor::anchor_reads_back_and_latest_wins,
            anchor::anchor_outside_its_bounds_is_refused_and_changes_nothing,
            anchor::anchor_after_seal_is_closed,
            seal::seal_as_running_is_refused_and_run_goes_on,
            seal::second_seal_is_closed_and_changes_nothing,
            seal::each_status_stores_watermark_and_end,
            seal::empty_run_seals_without_an_end,
            seal::end_is_the_largest_timestamp_not_the_last,
            seal::digest_equals_the_one_computed_from_the_format_page,
            seal::digest_covers_the_latest_anchor,
            seal::keyed_digest_needs_the_key,
            seal::quarantined_run_has_no_digest,
            time::first_seq_at_equals_the_naive_search,
            time::first_seq_at_over_many_commits_equals_the_naive_search,
            live::four_readers_beside_the_writer_see_whole_prefixes,
            live::readers_outlive_close_and_store,
            live::readers_outlive_abandon,
            live::reads_go_on_while_the_run_closes,
            live::reader_taken_before_an_append_sees_it,
            crash::unknown_run_is_not_found,
            crash::abandoned_run_reads_and_seals_but_takes_nothing,
            crash::run_closed_while_running_loads_the_same,
            crash::own_open_run_loads_as_crashed,
            crash::digest_of_a_recovered_run_equals_that_of_one_never_crashed,
            crash::empty_crashed_run_seals,
            crash::sealed_but_unclosed_run_is_repaired_and_closed,
            crash::store_that_let_go_is_free,
            crash::crashed_run_can_crash_again_before_its_seal,
            model::random_operations_equal_the_naive_model,
        }
    };
}

/// Calls `$callback! { $arguments; module::behaviour, ... }` with what backends on disk do besides.
#[macro_export]
macro_rules! durable_behaviours {
    ($callback:ident, $($argument:tt)*) => {
        $callback! { $($argument)*;
            durable::held_run_is_locked_for_another_store,
            durable::sealed_run_that_is_still_held_is_locked,
            durable::acknowledged_batches_survive_without_a_close,
            durable::sealed_run_opens_by_name_and_is_not_changed,
            durable::running_run_is_not_opened_as_sealed,
            durable::missing_run_is_not_found,
            durable::foreign_file_is_refused_and_not_changed,
            durable::readers_of_an_abandoned_run_keep_it_to_themselves,
            durable::readers_of_a_left_run_keep_it_to_themselves,
            durable::reader_of_a_run_that_recovery_has_says_so,
            durable::keyed_run_sealed_without_its_key_has_no_digest,
        }
    };
}

/// A `#[test]` for each behaviour.
#[macro_export]
macro_rules! as_tests {
    ($suite:ident, $fixture:expr; $($module:ident :: $behaviour:ident,)*) => {
        mod $suite {
            $(
                #[test]
                fn $behaviour() {
                    $crate::behaviour::$module::$behaviour(&$fixture);
                }
            )*
        }
    };
}
