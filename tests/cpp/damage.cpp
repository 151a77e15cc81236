/* A damaged entry ends a range with its failure, and nothing takes that for the end of the run.
 *
 * usage: damage BASE status|throwing|unasked */
#include "expect.hpp"

#include <new>
#include <string>

namespace es = eventstore;

static const std::uint64_t ENTRIES = 300, DAMAGED = 123;

static std::string write_run(const std::string &base) {
    es::manifest about;
    about.run_id = "damaged";
    about.instance_id = "trader";
    es::run run = MUST(es::open_run(base, about, es::open_options().halt_after(es::forever)));
    for (std::uint64_t number = 1; number <= ENTRIES; ++number) {
        const std::string payload = "payload number " + std::to_string(1000 + number);
        MUST(run.submit(es::draft("orders", "Order", payload), es::forever));
    }
    EXPECT(MUST(run.close()).sealed == 1);
    return MUST(run.path());
}

/* Changes one byte of the payload of the entry, wherever the file holds it. */
static void damage(const std::string &path) {
    const std::string wanted = "payload number " + std::to_string(1000 + DAMAGED);
    std::FILE *file = std::fopen(path.c_str(), "r+b");
    EXPECT(file != nullptr);
    std::string bytes;
    char buffer[65536];
    for (std::size_t count; (count = std::fread(buffer, 1, sizeof buffer, file)) > 0;) bytes.append(buffer, count);
    long changed = 0;
    for (std::size_t at = bytes.find(wanted); at != std::string::npos; at = bytes.find(wanted, at + 1)) {
        EXPECT(std::fseek(file, static_cast<long>(at), SEEK_SET) == 0 && std::fputc('P', file) == 'P');
        ++changed;
    }
    EXPECT(changed > 0 && std::fclose(file) == 0);
}

static void by_status(const es::reader &reader, std::size_t page_entries) {
    es::scan_options options;
    options.page_entries = page_entries;
    std::uint64_t read = 0;
    auto range = reader.scan(options);
    for (es::entry_view entry : range) EXPECT(entry.seq() == ++read);
    EXPECT(!range.status());
    EXPECT(range.status().code() == ES_ERR_HASH_MISMATCH && range.status().error().seq() == DAMAGED);
    EXPECT(read == DAMAGED - 1);
    // Behind the damage the run goes on.
    options.from = DAMAGED + 1;
    read = DAMAGED;
    auto rest = reader.scan(options);
    for (es::entry_view entry : rest) EXPECT(entry.seq() == ++read);
    MUST(rest.status());
    EXPECT(read == ENTRIES + 1);
    // And back to it.
    options.from = 1;
    options.direction = ES_BACKWARD;
    read = ENTRIES + 2;
    auto back = reader.scan(options);
    for (es::entry_view entry : back) EXPECT(entry.seq() == --read);
    EXPECT(read == DAMAGED + 1 && back.status().code() == ES_ERR_HASH_MISMATCH);
}

#if WITH_EXCEPTIONS
static void by_exception(const es::reader &reader) {
    std::uint64_t read = 0;
    es_status met = ES_OK;
    try {
        for (es::entry_view entry : reader.entries()) EXPECT(entry.seq() == ++read);
    } catch (const es::exception &problem) {
        met = problem.code();
        EXPECT(problem.error().seq() == DAMAGED);
    }
    EXPECT(met == ES_ERR_HASH_MISMATCH && read == DAMAGED - 1);
    met = ES_OK;
    try {
        auto range = reader.scan();
        for (es::entry_view entry : range.throwing()) EXPECT(entry.seq() > 0);
    } catch (const es::exception &problem) {
        met = problem.code();
    }
    EXPECT(met == ES_ERR_HASH_MISMATCH);
    // Begun again it throws again: it would look like an empty range that is complete.
    auto again = reader.scan();
    again.throwing();
    for (int turn = 0; turn < 2; ++turn) {
        met = ES_OK;
        try {
            for (es::entry_view entry : again) EXPECT(entry.seq() > 0);
        } catch (const es::exception &problem) {
            met = problem.code();
        }
        EXPECT(met == ES_ERR_HASH_MISMATCH && again.status().code() == ES_ERR_HASH_MISMATCH);
    }
}

/* How many arrays are still to be had; below 0: as many as asked for. */
static int arrays_left = -1;

void *operator new[](std::size_t size) {
    void *memory = arrays_left == 0 ? nullptr : std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    if (arrays_left > 0) --arrays_left;
    return memory;
}
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t) noexcept { std::free(memory); }

/* A range that had no memory for its rows, its arena or a larger arena begins again. */
static void after_bad_alloc(const es::reader &reader) {
    es::scan_options options;
    options.page_bytes = 16;
    options.to = DAMAGED - 1;
    for (int arrays = 0; arrays < 3; ++arrays) {
        auto range = reader.scan(options);
        bool thrown = false;
        arrays_left = arrays;
        try {
            range.begin();
        } catch (const std::bad_alloc &) {
            thrown = true;
        }
        arrays_left = -1;
        EXPECT(thrown);
        std::uint64_t read = 0;
        for (es::entry_view entry : range) EXPECT(entry.seq() == ++read);
        MUST(range.status());
        EXPECT(read == DAMAGED - 1);
    }
}
#endif

int main(int argc, char **argv) {
    EXPECT(argc == 3);
    const std::string way = argv[2], path = write_run(argv[1]);
    damage(path);
    es::reader reader = MUST(es::open_sealed_run(path));
    if (way == "unasked") {
        for (es::entry_view entry : reader.scan()) EXPECT(entry.seq() < DAMAGED);
        return 3; // not reached: the range was taken for a complete one
    }
    for (std::size_t page : {std::size_t(1), std::size_t(61), std::size_t(122), std::size_t(1024)}) by_status(reader, page);
#if WITH_EXCEPTIONS
    by_exception(reader);
    after_bad_alloc(reader);
#else
    if (way == "throwing") {
        for (es::entry_view entry : reader.entries()) EXPECT(entry.seq() < DAMAGED);
        return 3; // not reached: without exceptions it aborts
    }
#endif
    es::report report = MUST(es::verify_run(path));
    auto findings = report.findings();
    std::uint64_t found = 0;
    for (es::finding_view finding : findings) {
        ++found;
        if (finding.kind() == ES_FINDING_HASH_MISMATCH) EXPECT(finding.seq() == DAMAGED && !finding.text().empty());
    }
    MUST(findings.status());
    EXPECT(found > 0 && (MUST(report.summary()).flags & ES_REPORT_CLEAN) == 0);
    std::printf("damage: %d checks\n", checks);
    return 0;
}
