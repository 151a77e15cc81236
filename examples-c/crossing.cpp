/* Measures what crossing into the library costs, through eventstore.h and through eventstore.hpp.
 *
 *     crossing [--entries N] [--keep] [DIRECTORY]
 *
 * Cheap calls in a loop, and a full scan per entry, each way in turn, medians of the rounds. The run
 * that is scanned has N entries (1,000,000) of 64 bytes of payload, all pages in the system's cache;
 * --keep leaves its file and prints where, so that other languages can scan the same. */
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "eventstore.hpp"

namespace es = eventstore;

namespace {

constexpr int ROUNDS = 5;
constexpr std::uint64_t CALLS = 2000000;
constexpr std::size_t PAGE_ENTRIES = 1024, PAGE_BYTES = 1 << 20;

volatile std::uint64_t sink; // what was read is used, so that no compiler leaves it out

template <typename Work> double seconds_of(Work work) {
    const auto begun = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

/* Both ways in turn; nanoseconds a unit, the medians. */
template <typename C, typename Cpp> void compare(const char *what, std::uint64_t units, C c, Cpp cpp) {
    std::array<double, ROUNDS> times_c, times_cpp;
    for (std::size_t round = 0; round < ROUNDS; ++round) {
        times_c[round] = seconds_of(c);
        times_cpp[round] = seconds_of(cpp);
    }
    std::sort(times_c.begin(), times_c.end());
    std::sort(times_cpp.begin(), times_cpp.end());
    const double unit_ns = 1e9 / static_cast<double>(units);
    std::printf("  %-28s %8.1f %8.1f\n", what, times_c[ROUNDS / 2] * unit_ns, times_cpp[ROUNDS / 2] * unit_ns);
}

void check(es_status status) {
    if (status != ES_OK) es::result<void>(es::failure(status)).value();
}

std::uint64_t scan_in_c(es_reader *reader) {
    std::vector<es_entry> entries(PAGE_ENTRIES);
    std::vector<char> arena(PAGE_BYTES);
    es_scan_request request = ES_SCAN_REQUEST_INIT;
    es_scan_result page = ES_SCAN_RESULT_INIT;
    std::uint64_t bytes = 0;
    do {
        check(es_scan_range(reader, &request, entries.data(), sizeof(es_entry), entries.size(), arena.data(), arena.size(), &page, nullptr));
        for (std::uint64_t at = 0; at < page.rows; ++at) {
            const es_entry &entry = entries[static_cast<std::size_t>(at)];
            bytes += entry.payload_len + static_cast<unsigned char>(arena[static_cast<std::size_t>(entry.payload_offset)]);
        }
        request.from = page.next_seq;
    } while (page.more != 0);
    return bytes;
}

std::uint64_t scan_in_cpp(const es::reader &reader) {
    std::uint64_t bytes = 0;
    for (es::entry_view entry : reader.entries()) bytes += entry.payload().size() + entry.payload().data()[0];
    return bytes;
}

void measure_calls(const es::run &run, const es::reader &reader) {
    std::printf("one call, ns                         C      C++\n");
    compare(
        "es_get_high_watermark", CALLS,
        [&] {
            std::uint64_t seq = 0;
            for (std::uint64_t call = 0; call < CALLS; ++call) {
                check(es_get_high_watermark(reader.raw(), &seq, nullptr));
                sink = seq;
            }
        },
        [&] {
            for (std::uint64_t call = 0; call < CALLS; ++call) sink = reader.high_watermark().value();
        });
    compare(
        "es_get_run_state", CALLS,
        [&] {
            es_run_state state;
            for (std::uint64_t call = 0; call < CALLS; ++call) {
                check(es_get_run_state(run.raw(), &state, sizeof state, nullptr));
                sink = state.high_watermark;
            }
        },
        [&] {
            for (std::uint64_t call = 0; call < CALLS; ++call) sink = run.state().value().high_watermark;
        });
}

void capture(const es::run &run, std::uint64_t entries) {
    const std::string payload(64, 'a');
    es::batch batch;
    batch.reserve(1000);
    for (std::uint64_t number = 1; number <= entries; ++number) {
        batch.add("exec.command.SubmitOrder", "SubmitOrder", payload).ts_init(number);
        if (batch.size() == 1000 || number == entries) {
            run.submit(batch, es::forever).value();
            batch.clear();
        }
    }
    run.flush(es::forever).value();
}

int measure(const std::string &base, std::uint64_t entries, bool keep) {
    const std::string run_id = std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    es::manifest about;
    about.instance_id = "CROSSING";
    about.run_id = run_id;
    const es::run run = es::open_run(base, about, es::open_options().halt_after(es::forever)).value();
    capture(run, entries);
    const es_close_result closed = run.close().value();
    const std::string path = run.path().value();
    const es::reader reader = es::open_sealed_run(path).value();
    measure_calls(run, reader);
    std::printf("\nfull scan, ns an entry               C      C++\n");
    if (scan_in_c(reader.raw()) != scan_in_cpp(reader)) { // also the warm-up
        std::fprintf(stderr, "crossing: the two scans differ\n");
        return 1;
    }
    const std::string what = std::to_string(closed.high_watermark) + " entries";
    compare(what.c_str(), closed.high_watermark, [&] { sink = scan_in_c(reader.raw()); }, [&] { sink = scan_in_cpp(reader); });
    if (keep) {
        std::printf("\nrun %s\n", path.c_str());
    } else if (std::remove(path.c_str()) != 0) {
        std::perror(path.c_str());
        return 1;
    }
    return 0;
}

} // namespace

int main(int argc, char **argv) {
    std::string base = "build/crossing";
    std::uint64_t entries = 1000000;
    bool keep = false;
    for (int at = 1; at < argc; ++at) {
        if (std::strcmp(argv[at], "--entries") == 0 && at + 1 < argc) {
            entries = std::strtoull(argv[++at], nullptr, 10);
        } else if (std::strcmp(argv[at], "--keep") == 0) {
            keep = true;
        } else {
            base = argv[at];
        }
    }
    if (entries == 0) {
        std::fprintf(stderr, "usage: crossing [--entries N] [--keep] [DIRECTORY]\n");
        return 2;
    }
    try {
        return measure(base, entries, keep);
    } catch (const es::exception &problem) {
        std::fprintf(stderr, "crossing: %s: %s\n", es_status_name(problem.code()), problem.what());
        return 1;
    }
}
