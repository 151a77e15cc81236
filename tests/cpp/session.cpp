/* A session through the C++ layer: captured, sealed, read back, looked up, operated upon; handles
 * moved, failures met both ways.
 *
 * usage: session BASE */
#include "expect.hpp"

#include <numeric>
#include <string>
#include <thread>

namespace es = eventstore;
using namespace std::chrono_literals;

static_assert(sizeof(es_entry) == 152 && sizeof(es_draft) == 112 && sizeof(es_error) == 256, "the layout of the C interface");
static_assert(!std::is_copy_constructible_v<es::run> && !std::is_copy_assignable_v<es::run>, "one owner");
static_assert(!std::is_copy_constructible_v<es::reader> && !std::is_copy_assignable_v<es::reader>, "one owner");
static_assert(!std::is_copy_constructible_v<es::report> && !std::is_copy_assignable_v<es::report>, "one owner");
static_assert(!std::is_copy_constructible_v<es::entry> && std::is_nothrow_move_constructible_v<es::entry>, "one owner");
static_assert(!std::is_copy_constructible_v<es::stored_manifest> && std::is_nothrow_move_constructible_v<es::stored_manifest>, "one owner");
static_assert(std::is_nothrow_move_constructible_v<es::result<es::run>>, "a result moves its handle");
static_assert(!std::is_convertible_v<es::result<es::run>, bool>, "only on purpose");

static const std::uint64_t ENTRIES = 5000;
static const std::uint64_t START_NS = 1740992400000000000u;

static es::uuid id_of(std::uint64_t number) {
    es::uuid id{};
    for (std::size_t at = 0; at < 8; ++at) id[at] = static_cast<std::uint8_t>(number >> (8 * at));
    return id;
}

static std::string payload_of(std::uint64_t number) {
    // One entry larger than a page's first arena, and an empty one.
    if (number == 4242) return std::string(3u << 20, 'x');
    return number == 17 ? std::string() : "price " + std::to_string(number);
}

static es::run open_session(const std::string &base, const char *run_id) {
    es::manifest about;
    about.run_id = run_id;
    about.instance_id = "trader";
    about.binary_hash = "abc";
    about.feature_flags = {"fast", "safe"};
    about.actors = {{"a", "1"}, {"b", "2"}};
    about.seed = 42;
    about.start_ts_init = START_NS;
    return MUST(es::open_run(base, about, es::open_options().halt_after(es::forever)));
}

static void capture(es::run &run) {
    std::uint64_t number = 0;
    while (number < ENTRIES / 2) {
        ++number;
        const std::string payload = payload_of(number), order = "O-" + std::to_string(number);
        auto draft = es::draft("orders", "Order", payload).ts_init(START_NS + number).correlation_id(id_of(number)).client_order_id(order);
        if (number % 2 == 0) draft.causation_id(id_of(number - 1));
        es::draft copy; // a copy carries its own keys
        copy = draft;
        draft = es::draft();
        auto seq = run.submit(copy, 30s, number);
        EXPECT(seq.has_value() && *seq == number);
    }
    es::batch batch;
    std::vector<std::string> payloads, orders;
    payloads.reserve(ENTRIES);
    orders.reserve(ENTRIES);
    while (number < ENTRIES) {
        ++number;
        payloads.push_back(payload_of(number));
        orders.push_back("O-" + std::to_string(number));
        auto &draft = batch.add("orders", "Order", payloads.back()).ts_init(START_NS + number).correlation_id(id_of(number));
        draft.client_order_id(orders.back()).venue_order_id("V");
        if (number % 2 == 0) draft.causation_id(id_of(number - 1));
        if (batch.size() == 500) {
            es_append_result done = MUST(run.append(batch));
            EXPECT(done.count == 500 && done.high_watermark == number);
            batch.clear();
        }
    }
    EXPECT(batch.empty());
    MUST(run.flush(30s));
    MUST(run.wait_durable(ENTRIES, es::poll));
    EXPECT(MUST(run.state()).high_watermark == ENTRIES);
    EXPECT(MUST(run.stats()).entries == ENTRIES);
    EXPECT(MUST(run.durable_fd()) >= 0);
    MUST(run.record_anchor(ENTRIES - 10, "blob/1", "blake3:00", 30s));
}

static void check_entry(const es::entry_view &entry, std::uint64_t number) {
    const std::string payload = payload_of(number), order = "O-" + std::to_string(number);
    EXPECT(entry.seq() == number && entry.ts_init() == START_NS + number);
    EXPECT(entry.topic() == "orders" && entry.payload_type() == "Order" && entry.topic().data()[6] == '\0');
    EXPECT(entry.payload() == es::bytes_view(payload) && entry.payload().text() == payload);
    EXPECT(entry.correlation_id() == id_of(number));
    EXPECT(entry.causation_id().has_value() == (number % 2 == 0));
    EXPECT(entry.keys_recorded() && entry.key_count() == (number > ENTRIES / 2 ? 2u : 1u));
    EXPECT(entry.keys()[0].kind == ES_INDEX_CLIENT_ORDER_ID && entry.keys()[0].text == order);
    EXPECT(entry.hash().size() == 32);
}

static void read_back(const es::reader &reader) {
    std::uint64_t number = 0;
    es::scan_options small;
    small.page_entries = 7;
    small.page_bytes = 64;
    auto forward = reader.scan(small);
    for (es::entry_view entry : forward) {
        if (++number <= ENTRIES) check_entry(entry, number);
    }
    MUST(forward.status());
    EXPECT(number == ENTRIES + 1); // and the store's own RunEnded

    es::scan_options last;
    last.from = 10;
    last.to = ENTRIES;
    last.direction = ES_BACKWARD;
    number = ENTRIES;
    for (es::entry_view entry : reader.entries(last)) check_entry(entry, number--);
    EXPECT(number == 9);

    auto none = reader.scan({7, 6, ES_FORWARD, 16, 1024});
    EXPECT(none.begin() == none.end());
    MUST(none.status());

    EXPECT(MUST(reader.lookup(ES_INDEX_CLIENT_ORDER_ID, "O-777")) == 777);
    EXPECT(MUST(reader.lookup(ES_INDEX_VENUE_ORDER_ID, "V")) == ENTRIES / 2 + 1);
    es::entry found = MUST(reader.get(4242)), moved = std::move(found);
    check_entry(moved.view(), 4242);
    EXPECT(moved->payload().size() == 3u << 20);
    EXPECT(MUST(reader.find_first_seq(START_NS + 99)) == 99);

    std::uint64_t rows = 0;
    auto index = reader.index(ES_INDEX_CLIENT_ORDER_ID, {}, 64);
    for (es::index_view row : index) {
        EXPECT(row.key == "O-" + std::to_string(row.seq));
        ++rows;
    }
    MUST(index.status());
    EXPECT(rows == ENTRIES);
}

static void read_the_rest(const es::reader &reader) {
    EXPECT(MUST(reader.high_watermark()) == ENTRIES + 1);
    es::anchor anchor = MUST(reader.latest_anchor());
    EXPECT(anchor.high_watermark == ENTRIES - 10 && anchor.blob_ref == "blob/1" && anchor.content_hash == "blake3:00");
    es_restore_plan plan = MUST(reader.restore_plan());
    EXPECT(plan.has_anchor == 1 && plan.replay_from == ENTRIES - 9 && plan.replay_to == ENTRIES + 1);
    es::stored_manifest first = MUST(reader.get_manifest()), about = std::move(first);
    EXPECT(about.run_id() == "day-1" && about.instance_id() == "trader" && about.parent_run_id().empty());
    EXPECT(about.seed() == 42u && about.status() == ES_RUN_ENDED && about.high_watermark() == ENTRIES + 1);
    EXPECT(about.feature_flags().size() == 2 && about.feature_flags()[1] == "safe");
    EXPECT(about.actors()[1].first == "b" && about.actors()[1].second == "2" && about.endpoints().empty());
    EXPECT(about.end_ts_init() == START_NS + ENTRIES);
}

static void meet_failures(es::run &run, es::reader &reader) {
    auto answer = reader.lookup(ES_INDEX_CLIENT_ORDER_ID, "nobody");
    EXPECT(!answer && answer.code() == ES_ERR_NOT_FOUND && answer.error().name() == "ES_ERR_NOT_FOUND");
    EXPECT(!answer.error().message().empty() && !answer.error().is_retryable() && !answer.error().is_fatal());
    EXPECT(std::move(answer).value_or(7) == 7);
    auto guarded = run.submit(es::draft("orders", "Order", "x"), es::poll, 3);
    EXPECT(guarded.code() == ES_ERR_OUT_OF_ORDER && guarded.error().seq() == 3 && guarded.error().next_seq() == ENTRIES + 1);
    es::batch bad;
    bad.add("orders", "Order", "x");
    bad.add("", "Order", "x");
    auto refused = run.append(bad);
    EXPECT(refused.code() == ES_ERR_INVALID_ARGUMENT && refused.error().item_index() == 1u);
    es::draft crowded("orders", "Order", "x");
    for (int key = 0; key < 17; ++key) crowded.client_order_id("k");
    EXPECT(run.submit(crowded).code() == ES_ERR_INVALID_ARGUMENT);
    es::batch empty;
    EXPECT(MUST(run.append(empty)).count == 0);
    EXPECT(run.submit(empty).code() != ES_OK);
    EXPECT(run.wait_durable(ENTRIES + 5, 1ms).code() == ES_ERR_INVALID_ARGUMENT);
    EXPECT(reader.seal().code() == ES_ERR_UNSUPPORTED);
    EXPECT(run.do_work().code() == ES_ERR_UNSUPPORTED);
    EXPECT(es::open_sealed_run("/nowhere/run.redb").code() == ES_ERR_NOT_FOUND);
#if WITH_EXCEPTIONS
    bool caught = false;
    try {
        (void)reader.get(ENTRIES + 99).value();
    } catch (const es::exception &problem) {
        caught = problem.code() == ES_ERR_NOT_FOUND && problem.what()[0] != '\0';
    }
    EXPECT(caught);
    caught = false;
    try {
        run.wait_durable(ENTRIES + 5, 1ms).value();
    } catch (const std::exception &) {
        caught = true;
    }
    EXPECT(caught);
#endif
}

static void move_handles(es::run run) {
    es::run other = std::move(run);
    EXPECT(other && !run); // NOLINT: a moved-from handle is empty, and says so
    EXPECT(run.state().code() == ES_ERR_BAD_HANDLE);
    EXPECT(run.submit(es::draft("t", "t", "")).code() == ES_ERR_BAD_HANDLE);
    es::reader none;
    auto range = none.scan();
    for (es::entry_view entry : range) EXPECT(entry.seq() == 0);
    EXPECT(range.status().code() == ES_ERR_BAD_HANDLE);
    es::reader reader = MUST(other.open_reader());
    other = es::run(); // frees the run; its reader goes on
    EXPECT(!other && MUST(reader.high_watermark()) == ENTRIES + 1);
    es_reader *raw = reader.release();
    EXPECT(!reader && raw != nullptr);
    reader.reset(raw);
    reader = std::move(none);
    EXPECT(reader.high_watermark().code() == ES_ERR_BAD_HANDLE);
}

static void operate(const std::string &base, const std::string &path) {
    es_report_summary verified = MUST(MUST(es::verify_run(path)).summary());
    EXPECT((verified.flags & ES_REPORT_CLEAN) != 0 && verified.entries == ENTRIES + 1);
    { es::run left = open_session(base, "day-2"); } // as a killed process leaves it
    auto recovered = es::recover(base, "trader");
    while (!recovered && recovered.error().is_retryable()) {
        std::this_thread::sleep_for(1ms); // its writer lets go on its own thread
        recovered = es::recover(base, "trader");
    }
    auto sealed = recovered->rows();
    std::uint64_t rows = 0;
    for (es::run_row_view row : sealed) {
        ++rows;
        EXPECT(row.outcome() == ES_OUTCOME_SEALED && row.run_id() == "day-2" && row.reason().empty());
    }
    MUST(sealed.status());
    EXPECT(rows == 1);
    es::report listed = MUST(es::list_runs(base, "trader"));
    std::string names;
    auto list = listed.rows();
    for (es::run_row_view row : list) names += std::string(row.run_id()) + (row.needs_repair() ? "! " : " ");
    MUST(list.status());
    EXPECT(names == "day-1 day-2 ");
    es::report plan = MUST(es::plan_retention(base, "trader", es::keep::last(1)));
    es::report applied = MUST(es::apply_retention(base, "trader", plan));
    EXPECT(MUST(applied.summary()).entries == 0); // day-1 is the only restore point
    EXPECT(es::salvage_run(path, base, "trader", "day-1").code() == ES_ERR_ALREADY_EXISTS);
    auto findings = listed.findings();
    EXPECT(findings.begin() == findings.end());
    MUST(findings.status());
}

/* Followed while it is written, copied, and told of its seal. */
static void follow(const std::string &base) {
    es::manifest about;
    about.run_id = "log-1";
    about.instance_id = "trader";
    auto options = es::open_options().halt_after(es::forever).backend(ES_BACKEND_LOG);
    es::run run = MUST(es::open_run(base + "-log", about, options));
    const std::string path = MUST(run.path());
    es::reader outside = MUST(es::open_live_run(path)), inside = MUST(run.open_reader());
    EXPECT(outside.wait_tail(1, es::poll).code() == ES_ERR_TIMEOUT && inside.wait_tail(1, 1ms).code() == ES_ERR_TIMEOUT);
    MUST(run.wait_durable(MUST(run.submit(es::draft("orders", "Order", "one"))), 30s));
    for (const es::reader *reader : {&outside, &inside}) {
        const es_tail_result tail = MUST(reader->wait_tail(1, 30s));
        EXPECT(tail.flags == 0 && tail.high_watermark == 1 && tail.status == ES_RUN_RUNNING);
        EXPECT(MUST(reader->get(1))->payload().text() == "one");
    }
    const es_copy_result copied = MUST(es::copy_run(path, base + "-copy"));
    EXPECT(copied.sealed == 0 && copied.high_watermark == 1 && copied.bytes > 0);
    MUST(run.close(30s));
    for (const es::reader *reader : {&outside, &inside}) {
        const es_tail_result tail = MUST(reader->wait_tail(99, es::forever));
        EXPECT(tail.flags == ES_TAIL_SEALED && tail.high_watermark == 2 && tail.status == ES_RUN_ENDED);
    }
    EXPECT(es::copy_run(path, base + "-copy").code() == ES_ERR_ALREADY_EXISTS);
    EXPECT(MUST(es::copy_run(path, base + "-sealed")).sealed == 1);
}

static void times() {
    EXPECT(es::timeout(-5s).as_parameter() == 0 && es::timeout(0ns).as_field() == ES_POLL);
    EXPECT(es::timeout(1500us).as_parameter() == 1500000 && es::timeout(0.5s).as_field() == 500000000u);
    EXPECT(es::timeout(std::chrono::hours::max()).as_parameter() == ES_FOREVER);
    EXPECT(es::timeout(std::chrono::nanoseconds::max()).as_parameter() == ES_FOREVER);
    EXPECT(es::forever.as_field() == ES_FOREVER && es::poll.as_parameter() == 0);
    EXPECT(es::timeout(std::chrono::duration<double, std::pico>(1)).as_parameter() == 1);
}

/* The field is the number plus one, and the largest number does not become 0, which is none. */
static void cpu_numbers() {
    es::open_options options;
    EXPECT(options.raw().writer_cpu == 0);
    EXPECT(options.writer_cpu(0).raw().writer_cpu == 1);
    EXPECT(options.writer_cpu(UINT32_MAX - 1).raw().writer_cpu == UINT32_MAX);
    EXPECT(options.writer_cpu(UINT32_MAX).raw().writer_cpu == UINT32_MAX);
}

int main(int argc, char **argv) {
    EXPECT(argc == 2);
    const std::string base = argv[1];
    times();
    cpu_numbers();
    EXPECT(es::abi_version() == ES_ABI_VERSION && es::version() == "0.1.0");
    es::run run = open_session(base, "day-1");
    capture(run);
    es::reader live = MUST(run.open_reader());
    meet_failures(run, live);
    es_close_result closed = MUST(run.close(30s));
    EXPECT(closed.sealed == 1 && closed.high_watermark == ENTRIES + 1);
    EXPECT(run.submit(es::draft("t", "t", "x")).code() == ES_ERR_CLOSED);
    read_back(live);
    const std::string path = MUST(run.path());
    es::reader sealed = MUST(es::open_sealed_run(path, es::reader_options().check()));
    read_back(sealed);
    read_the_rest(sealed);
    EXPECT(MUST(sealed.path()) == path);
    es::run_digest digest = MUST(sealed.digest());
    EXPECT(!digest.keyed && std::memcmp(digest.bytes.data(), closed.digest, 32) == 0);
    move_handles(std::move(run));
    live.reset();
    sealed.reset();
    operate(base, path);
    follow(base);
    std::printf("session: %d checks\n", checks);
    return 0;
}
