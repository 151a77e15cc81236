//! Each guarantee's test is shown to notice the guarantee's absence.
//!
//! The crate is built a second time with its planted faults (`--cfg es_planted`), and each fault
//! is switched on under the tests that must catch it. That build is slow, so it is made when all
//! tools are required or a campaign is asked for. That no fault is without a test is always
//! checked.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{process, shared};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A fault, and a test that must fail when it is on.
struct Caught {
    fault: &'static str,
    /// The file of the test, without its ending, and its name.
    binary: &'static str,
    test: &'static str,
    /// What the failing test says.
    says: &'static str,
}

const fn caught(
    fault: &'static str,
    (binary, test): (&'static str, &'static str),
    says: &'static str,
) -> Caught {
    Caught { fault, binary, test, says }
}

const POWER_CUT: (&str, &str) = ("power_cut", "power_cuts_lose_nothing_acknowledged");
const ORDER: (&str, &str) =
    ("strace", "file_and_directories_are_flushed_before_the_first_acknowledgement");
const KILL: (&str, &str) = ("kill", "fifty_kills_lose_nothing_acknowledged");
const FORK: (&str, &str) = ("fork", "a_living_parent_keeps_others_out_and_a_dead_one_does_not");
const DRIFT: (&str, &str) = ("verifier", "index_drift_is_found_both_ways");
const RETENTION: (&str, &str) = ("retention", "applying_deletes_the_plan_and_skips_what_is_read");
const SWEEP: (&str, &str) = ("recovery", "every_kind_of_run_is_dealt_with_in_one_sweep");
const FLIP: (&str, &str) =
    ("flip", "flipped_killed_run_is_never_sealed_as_good_without_its_entries");
const FULL_DISK: (&str, &str) =
    ("run_file", "full::full_disk_of_any_size_leaves_room_for_the_seal");

const AHEAD: (&str, &str) = ("run_file", "ahead::zeros_never_cover_what_was_written");
const REST: (&str, &str) =
    ("eventstore", "backend::redb::filler::tests::zeros_wait_for_a_run_at_rest");
const WHEEL: (&str, &str) =
    ("eventstore", "writer::tests::wheel::nothing_is_left_behind_when_the_wheel_is_let_go");
const OLDER: (&str, &str) = ("abi", "older_program_behaves_as_before");

const LOG_CUT: (&str, &str) = ("power_cut", "power_cuts_of_the_log_lose_nothing_acknowledged");
const LOG_FLIP: (&str, &str) = ("log_damage", "every_flipped_byte_of_a_sealed_run_is_found");
const LOG_MARKS: (&str, &str) =
    ("log_damage", "resumed::killed_run_without_its_watermarks_is_refused_as_it_is");
const LOG_TORN_MARKS: (&str, &str) =
    ("eventstore", "backend::log::small_file::tests::watermark_torn_in_both_places_is_read_again");
const LOG_GROUPS: (&str, &str) = ("log_damage", "groups_out_of_place_are_found");
const LOG_TAIL: (&str, &str) =
    ("log_damage", "flipped_killed_run_is_whole_or_damaged_never_shorter");
const LOG_LATER: (&str, &str) =
    ("log_damage", "damage_before_the_last_group_is_found_without_a_watermark");
const LOG_STOP: (&str, &str) =
    ("log_damage", "refused_write_stops_the_store_and_keeps_what_was_acknowledged");
const LOG_STOP_BEHIND: (&str, &str) = ("log_damage", "refused_batch_stops_those_behind_it");
const LOG_TRUST: (&str, &str) = ("log_damage", "killed_run_is_flushed_before_it_is_trusted");
const LOG_START: (&str, &str) =
    ("log_damage", "resumed::group_lost_behind_the_watermark_of_another_start_is_found");
const LOG_BEHIND: (&str, &str) =
    ("log_damage", "resumed::group_behind_the_watermark_counts_once_stable_storage_has_it");
const LOG_KILLS: (&str, &str) = ("power_cut", "kills_of_the_log_lose_nothing_acknowledged");
const LOG_UNINDEXED: (&str, &str) =
    ("log_damage", "unindexed::damage_of_a_segment_without_index_is_told_to_whoever_asks");
const LOG_AHEAD: (&str, &str) =
    ("log_damage", "prepared::long_segment_is_prepared_a_little_at_a_time");
const LOG_FULL: (&str, &str) = ("log_damage", "run_on_a_full_disk_is_sealed");

const LOOKUP: (&str, &str) =
    ("log_index", "lookup_reads_one_block_however_many_segments_there_are");
const THREADS: (&str, &str) =
    ("verifier_threads", "sound_runs_are_clean_with_any_number_of_threads");
const CONVERT: (&str, &str) = ("convert", "conversion_keeps_everything_both_ways");
const CONVERT_KILL: (&str, &str) = ("convert", "killed_conversion_leaves_no_half_run");

const LIVE_MARK: (&str, &str) =
    ("live", "damage::reader_stops_at_the_watermark_whatever_lies_behind_it");
const LIVE_RETENTION: (&str, &str) =
    ("live", "followed_run_is_not_deleted_until_its_reader_is_gone");

const CAUGHT_HERE: [Caught; 41] = [
    caught("ack_before_commit", KILL, "was acknowledged"),
    caught("skip_sync", ORDER, "the file"),
    caught("skip_sync", POWER_CUT, "acknowledged"),
    caught("skip_dir_sync", ORDER, "the directory of the new name"),
    caught("skip_dir_sync", POWER_CUT, "gone"),
    caught("fork_keeps_descriptors", FORK, "the dead parent's lock is gone"),
    caught("skip_reserve", FULL_DISK, "No space left on device"),
    caught("fill_in_use", AHEAD, "zeros cover what was written"),
    caught("fill_over", AHEAD, "zeros cover what was written"),
    caught("fill_beside_commits", REST, "a commit is under way"),
    caught("skip_index_check", DRIFT, "left == right"),
    caught("delete_what_is_read", RETENTION, "left == right"),
    caught("seal_unseen", SWEEP, "RecoveryReport"),
    caught("trust_the_primary_bit", FLIP, "1 faults"),
    caught("skip_sync", LOG_CUT, "event"),
    caught("skip_dir_sync", LOG_CUT, "gone"),
    caught("skip_reserve", LOG_FULL, "the seal has its space"),
    caught("log_skip_group_checksum", LOG_FLIP, "unfound"),
    caught("log_skip_chain", LOG_GROUPS, "missing"),
    caught("log_ignore_watermark", LOG_TAIL, "reads otherwise"),
    caught("log_skip_watermark", LOG_TAIL, "reads otherwise"),
    caught("log_skip_later_groups", LOG_LATER, "byte"),
    caught("log_go_on_after_failure", LOG_STOP, "it is not tried again"),
    caught("log_go_on_after_failure", LOG_STOP_BEHIND, "entry 3"),
    caught("log_trust_cache", LOG_TRUST, "every file that may be wrong is flushed"),
    caught("log_trust_cache", LOG_BEHIND, "read anew before it counts"),
    caught("log_forget_the_cut", LOG_KILLS, "no group header stands"),
    caught("log_any_watermarks", LOG_MARKS, "another length"),
    caught("log_read_marks_once", LOG_TORN_MARKS, "left == right"),
    caught("log_rebuild_unchecked", LOG_UNINDEXED, "order-"),
    caught("log_flood_the_device", LOG_AHEAD, "on their way to the device"),
    caught("log_trust_another_boot", LOG_START, "Ok(())"),
    caught("log_filter_forgets", LOOKUP, "O-20261127"),
    caught("log_ignore_filter", LOOKUP, "reads for"),
    caught("verify_skip_part", THREADS, "a sound run, 2 threads"),
    caught("convert_loses_keys", CONVERT, "the copy is not what was written"),
    caught("convert_in_place", CONVERT_KILL, "a run is there"),
    caught("log_follow_beyond_watermark", LIVE_MARK, "left == right"),
    caught("log_delete_what_is_followed", LIVE_RETENTION, "a run that is read was deleted"),
    caught("keep_the_wheel", WHEEL, "was left behind"),
    caught("ignore_size", OLDER, "the bytes behind it were written"),
];

/// Faults that other builds of the code catch, and the file that switches them on.
const CAUGHT_ELSEWHERE: [(&str, &str); 9] = [
    ("relaxed_publish", "tests/model"),
    ("relaxed_claim", "tests/model"),
    ("relaxed_publish", "tests/sanitizers.sh"),
    ("relaxed_claim", "tests/sanitizers.sh"),
    ("lost_doorbell", "tests/model"),
    ("check_before_copy", "tests/sanitizers.sh"),
    ("arena_overflow", "tests/sanitizers.sh"),
    ("freed_handle_stays_valid", "tests/sanitizers.sh"),
    ("panic_in_call", "tests/sanitizers.sh"),
];

/// All text files below a folder, or the one file.
fn texts_below(path: &Path) -> Vec<String> {
    if path.is_file() {
        return fs::read_to_string(path).into_iter().collect();
    }
    let items = fs::read_dir(path).into_iter().flatten().map(|item| item.expect("listed").path());
    items.flat_map(|path| texts_below(&path)).collect()
}

/// The names of the faults in the shipped code.
fn planted_names() -> BTreeSet<String> {
    let texts = texts_below(&Path::new(ROOT).join("src"));
    let names = texts.iter().flat_map(|text| {
        text.split("planted(\"").skip(1).filter_map(|rest| rest.split('"').next())
    });
    names.map(str::to_owned).collect()
}

#[test]
fn no_fault_is_without_a_test() {
    let here = CAUGHT_HERE.iter().map(|caught| caught.fault);
    let elsewhere = CAUGHT_ELSEWHERE.iter().map(|(fault, _)| *fault);
    let tested: BTreeSet<String> = here.chain(elsewhere).map(str::to_owned).collect();
    assert_eq!(planted_names(), tested);
    for (fault, place) in CAUGHT_ELSEWHERE {
        let texts = texts_below(&Path::new(ROOT).join(place));
        assert!(texts.iter().any(|text| text.contains(fault)), "{place} does not name {fault}");
    }
}

/// Builds the tests with the faults in them; answers where each lies.
fn build() -> BTreeMap<String, PathBuf> {
    let mut binaries: Vec<&str> = CAUGHT_HERE.iter().map(|caught| caught.binary).collect();
    binaries.dedup();
    let tests: Vec<_> = binaries.iter().filter(|binary| **binary != "eventstore").collect();
    let output = Command::new(env!("CARGO"))
        .current_dir(ROOT)
        .args(["test", "--no-run", "--message-format=json", "--target-dir", "target/planted"])
        .arg("--lib")
        .args(tests.iter().flat_map(|binary| ["--test", binary]))
        .env("RUSTFLAGS", "--cfg es_planted")
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("JSON");
    let built = lines.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let name = message["target"]["name"].as_str()?.to_owned();
        Some((name, PathBuf::from(message["executable"].as_str()?)))
    });
    built.collect()
}

/// Runs the test with a fault on, or with none.
fn run(binary: &Path, test: &str, fault: &str) -> Output {
    let mut command = Command::new(binary);
    command.args(["--exact", test]).env("ES_PLANT", fault).env_remove("ES_CAMPAIGN");
    command.output().expect("a test binary starts")
}

#[test]
fn each_fault_is_caught() {
    let is_asked =
        process::is_campaign() || std::env::var("ES_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    if !is_asked {
        shared::not_run_unasked("planted faults", "set ES_CAMPAIGN=1, it builds the crate again");
        return;
    }
    let built = build();
    for Caught { fault, binary, test, says } in CAUGHT_HERE {
        let path = &built[binary];
        let sound = run(path, test, "none");
        assert!(sound.status.success(), "{test} fails without a fault: {sound:?}");
        let text = String::from_utf8_lossy(&sound.stdout);
        assert!(text.contains("1 passed"), "{binary} has no test {test}: {text}");
        let faulty = run(path, test, fault);
        let text = String::from_utf8_lossy(&faulty.stdout).into_owned()
            + &String::from_utf8_lossy(&faulty.stderr);
        assert!(!faulty.status.success(), "{binary} {test} does not notice {fault}");
        assert!(text.contains(says), "{binary} {test} says another thing of {fault}: {text}");
        eprintln!("{fault}: noticed by {binary} {test}");
    }
}
