/* Checks of the C++ tests; they work without exceptions too. */
#ifndef ES_TEST_EXPECT_HPP
#define ES_TEST_EXPECT_HPP

#include <eventstore.hpp>

#include <cstdio>
#include <cstdlib>

#if defined(__cpp_exceptions)
#define WITH_EXCEPTIONS 1
#else
#define WITH_EXCEPTIONS 0
#endif

static int checks = 0;

static inline void expect(bool holds, const char *what, int line) {
    ++checks;
    if (holds) return;
    std::fprintf(stderr, "line %d: %s does not hold\n", line, what);
    std::exit(1);
}

#define EXPECT(condition) expect((condition), #condition, __LINE__)

/* The value of a call that must succeed. */
template <typename T> T must(eventstore::result<T> answer, int line) {
    if (!answer) std::fprintf(stderr, "line %d: %s: %s\n", line, es_status_name(answer.code()), answer.error().message_text());
    if (!answer) std::exit(1);
    return std::move(*answer);
}

static inline void must(eventstore::result<void> answer, int line) {
    if (!answer) std::fprintf(stderr, "line %d: %s: %s\n", line, es_status_name(answer.code()), answer.error().message_text());
    if (!answer) std::exit(1);
}

#define MUST(call) must((call), __LINE__)

#endif
