//! One list of behaviours, run over every backend. The list: `conformance/mod.rs`.

#[path = "conformance/mod.rs"]
mod behaviour;
mod common;

use common::allocation;

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

behaviours!(as_tests, memory, crate::behaviour::fixture::Memory);
behaviours!(as_tests, redb, crate::behaviour::redb_runs::Redb::two_phase());
durable_behaviours!(as_tests, redb_durable, crate::behaviour::redb_runs::Redb::two_phase());
behaviours!(as_tests, log, crate::behaviour::log_runs::Log::default_size());
durable_behaviours!(as_tests, log_durable, crate::behaviour::log_runs::Log::default_size());
behaviours!(as_tests, log_short_segments, crate::behaviour::log_runs::Log::short_segments());
durable_behaviours!(as_tests, log_short_durable, crate::behaviour::log_runs::Log::short_segments());
behaviours!(as_tests, redb_one_phase, crate::behaviour::redb_runs::Redb::one_phase());

/// Each flaw is caught by the behaviour that is there for it, which the sound backend passes.
#[test]
fn every_flaw_is_caught_by_its_behaviour() {
    use behaviour::flawed::{Flaw, Flawed};
    use behaviour::{
        anchor, append, crash, fixture, index, live, model, opening, scan, seal, time,
    };

    type Behaviour = fn(&dyn fixture::Fixture);
    let out_of_order: Behaviour =
        append::out_of_order_names_durable_and_offending_seq_and_writes_nothing;
    let flaws: [(Flaw, Behaviour); 25] = [
        (Flaw::SwallowsOutOfOrder, out_of_order),
        (Flaw::WritesPrefixOfRefusedBatch, out_of_order),
        (Flaw::WritesPrefixOfRefusedBatch, model::random_operations_equal_the_naive_model),
        (Flaw::StoresItsOwnHash, append::wrong_stored_hash_surfaces_after_the_good_rows),
        (Flaw::LastKeyWins, append::first_key_wins_within_a_batch_and_across),
        (Flaw::ZeroIsOne, scan::every_range_equals_the_naive_slice),
        (Flaw::BackwardIsForward, scan::every_range_equals_the_naive_slice),
        (Flaw::IgnoresBreak, scan::visitor_that_breaks_sees_no_further_row),
        (Flaw::RowsLoseKeys, scan::rows_carry_the_keys_they_were_committed_with),
        (Flaw::ListsBeforeItStreams, scan::hundred_thousand_rows_stream_both_ways),
        (Flaw::VisitsUnderLock, scan::writer_commits_while_a_visitor_waits),
        (Flaw::VisitsUnderLock, index::writer_commits_while_an_index_visitor_waits),
        (Flaw::ResumesAtKey, index::iteration_resumes_after_any_key),
        (Flaw::SwallowsBadAnchor, anchor::anchor_outside_its_bounds_is_refused_and_changes_nothing),
        (Flaw::DigestForgetsAnchor, seal::digest_covers_the_latest_anchor),
        (Flaw::DigestForgetsKey, seal::keyed_digest_needs_the_key),
        (Flaw::QuarantinedHasDigest, seal::quarantined_run_has_no_digest),
        (Flaw::SealsTwice, seal::second_seal_is_closed_and_changes_nothing),
        (Flaw::EndIsTheLast, seal::end_is_the_largest_timestamp_not_the_last),
        (Flaw::TimesByHalves, time::first_seq_at_equals_the_naive_search),
        (Flaw::WatermarkRunsAhead, live::four_readers_beside_the_writer_see_whole_prefixes),
        (Flaw::ReaderStandsStill, live::reader_taken_before_an_append_sees_it),
        (Flaw::ReusesNames, opening::sealed_and_closed_name_is_already_exists_and_unchanged),
        (Flaw::AppendsAfterCrash, crash::abandoned_run_reads_and_seals_but_takes_nothing),
        (Flaw::ForgetsOnAbandon, crash::abandoned_run_reads_and_seals_but_takes_nothing),
    ];
    let uncaught: Vec<Flaw> = flaws
        .into_iter()
        .filter(|(flaw, behaviour)| std::panic::catch_unwind(|| behaviour(&Flawed(*flaw))).is_ok())
        .map(|(flaw, _)| flaw)
        .collect();
    assert_eq!(uncaught, [], "flaws that their behaviour let pass");
}
