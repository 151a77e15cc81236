/* Compiled twice into one program, with and without exceptions: each half keeps its own meaning.
 *
 * usage: mixed [abort] */
#include "expect.hpp"
#include "mixed.hpp"

static int fail_here() {
    eventstore::reader none;
    return static_cast<int>(none.high_watermark().value());
}

#if WITH_EXCEPTIONS
int fail_with_exceptions() { return fail_here(); }

int main(int argc, char **) {
    try {
        (void)(argc > 1 ? fail_without_exceptions() : fail_with_exceptions());
    } catch (const eventstore::exception &problem) {
        return problem.code() == ES_ERR_BAD_HANDLE ? 0 : 1;
    }
    return 2;
}
#else
int fail_without_exceptions() { return fail_here(); }
#endif
