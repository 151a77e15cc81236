/* The store from C++: a short session captured, sealed and read back.
 *
 *     tour [DIRECTORY]
 *
 * Prints the orders and how one of them ended; exit code 0 only when everything succeeded. */
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>

#include "eventstore.hpp"

namespace es = eventstore;
using namespace std::chrono_literals;

namespace {

const std::uint64_t OPENING_NS = 1740992400000000000u;

/* Five orders; the third is cancelled, the others are filled. */
void trade(const es::run &run) {
    es::batch fills;
    std::uint64_t time_ns = OPENING_NS;
    for (int number = 1; number <= 5; ++number) {
        const std::string order = "ORDER-" + std::to_string(number);
        const std::string payload = "{\"order\":\"" + order + "\",\"price\":\"10.05\"}";
        auto sent = es::draft("orders.SIM.ALFA", "OrderSubmitted", payload).ts_init(++time_ns).client_order_id(order);
        run.submit(sent, 5s).value(); // returns at once, unless the queue is full
    }
    for (int number = 1; number <= 5; ++number) {
        fills.add("orders.SIM.ALFA", number == 3 ? "OrderCanceled" : "OrderFilled", "{}").ts_init(++time_ns);
    }
    run.append(fills).value(); // all five in one commit, durable when it returns
}

void read_back(const es::reader &reader) {
    for (es::entry_view entry : reader.entries()) {
        std::printf("%3llu %s\n", static_cast<unsigned long long>(entry.seq()), std::string(entry.payload_type()).c_str());
    }
    // A failure can be looked at instead of caught.
    const auto nobody = reader.lookup(ES_INDEX_CLIENT_ORDER_ID, "ORDER-6");
    std::printf("ORDER-6: %s\n", nobody ? "found" : std::string(nobody.error().name()).c_str());
    const std::uint64_t seq = reader.lookup(ES_INDEX_CLIENT_ORDER_ID, "ORDER-3").value();
    const es::entry order = reader.get(seq).value();
    std::printf("ORDER-3: seq %llu: %s\n", static_cast<unsigned long long>(seq), std::string(order->payload().text()).c_str());
}

} // namespace

int main(int argc, char **argv) {
    try {
        const std::string run_id = std::to_string(std::time(nullptr)); // each session its own
        es::manifest about;
        about.instance_id = "TOUR-1";
        about.run_id = run_id;
        about.start_ts_init = OPENING_NS;
        // How long a full queue may stand still before the run ends itself: set it on purpose.
        const auto options = es::open_options().halt_after(10s);
        const es::run run = es::open_run(argc > 1 ? argv[1] : "runs", about, options).value();
        trade(run);
        const es_close_result closed = run.close(60s).value();
        if (!closed.sealed) { // the run had halted: it is left for recovery, and this is why
            std::fprintf(stderr, "halted: %s\n", es_status_name(closed.halt_status));
            return 1;
        }
        read_back(run.open_reader().value());
        return 0;
    } catch (const es::exception &problem) {
        std::fprintf(stderr, "%s: %s\n", std::string(problem.error().name()).c_str(), problem.what());
        return 1;
    }
}
