/* eventstore.hpp: eventstore.h for C++17 and later: handles that free themselves, results instead
 * of status and error, ranges instead of pages.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * QUICK START (tests compile and run it)
 *
 *     #include <eventstore.hpp>
 *     #include <cstdio>
 *
 *     namespace es = eventstore;
 *
 *     int main() try {
 *         es::manifest about;
 *         about.run_id = "run-1";
 *         about.instance_id = "engine";
 *         auto options = es::open_options().halt_after(std::chrono::seconds(5));
 *         es::run run = es::open_run("runs", about, options).value();
 *         auto order = es::draft("orders", "text/plain", "buy 1").client_order_id("O-1");
 *         std::uint64_t seq = run.submit(order).value();
 *         run.wait_durable(seq, es::forever).value();
 *         es_close_result closed = run.close().value();
 *         if (!closed.sealed) std::printf("halted: %s\n", es_status_name(closed.halt_status));
 *         es::reader reader = run.open_reader().value();
 *         for (es::entry_view entry : reader.entries())
 *             std::printf("%d %s\n", int(entry.seq()), std::string(entry.topic()).c_str());
 *         return 0;
 *     } catch (const es::exception &problem) {
 *         std::fprintf(stderr, "%s\n", problem.what());
 *         return 1;
 *     }
 *
 * RULES
 *
 * This header only calls eventstore.h: it adds no symbol to the library and no binary interface;
 *   everything is inline, and any C++17 compiler's code works with any build of the library. What
 *   a call does, what it can fail with and what to do then stands at the C function it names.
 * Answers. A call that can fail returns result<T>: a value, or a failure with code, numbers and
 *   message. Two ways to use it, to be mixed freely: look (`if (!answer) ... answer.error()`), or
 *   `.value()`, which throws eventstore::exception. Without exceptions (-fno-exceptions) `.value()`
 *   of a failure prints it to stderr and aborts; the rest is the same. No RTTI is needed.
 * Ranges. scan, index, rows and findings read page by page while they are iterated. A page that
 *   fails ends the loop, and status() then holds the failure: look at it after each loop. A range
 *   that failed and was destroyed unasked aborts unless NDEBUG is defined. The ranges of
 *   reader::entries (and any range after .throwing()) throw instead: nothing can be overlooked.
 *   What an iterator gives is valid until it moves on. A range must not outlive what it reads.
 * Handles. run, reader and report are move-only; a moved-from one is empty, and calls on it answer
 *   ES_ERR_BAD_HANDLE. Destruction frees and never waits for the disk: it does not close a run.
 * Views. Texts are std::string_view, bytes are bytes_view; what goes in is copied before a call
 *   returns. Memory of this header comes from operator new, whose failure is std::bad_alloc.
 * Time. Timeouts are std::chrono durations, eventstore::poll or eventstore::forever. Timestamps are
 *   nanoseconds since the Unix epoch.
 * Threads. The tags of eventstore.h hold: [any thread], [one thread at a time per object],
 *   [blocks], [never blocks]. A range object belongs to one thread at a time.
 */
#ifndef EVENTSTORE_HPP
#define EVENTSTORE_HPP

#include "eventstore.h"

#include <array>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define ES_HPP_THROWS_ 1
#include <exception>
#else
#define ES_HPP_THROWS_ 0
#endif

namespace eventstore {

/* Files compiled with and without exceptions may be linked together: their inline functions
 * differ, so their names do too, and the linker cannot take one for the other. */
#if ES_HPP_THROWS_
inline namespace throwing {
#else
inline namespace aborting {
#endif

/* ---- bytes, ids, time ---- */

/** Bytes that somebody else owns: a pointer and a length. */
class bytes_view {
  public:
    using value_type = std::uint8_t;
    using const_iterator = const std::uint8_t *;

    constexpr bytes_view() noexcept = default;
    bytes_view(const void *data, std::size_t size) noexcept
        : data_(static_cast<const std::uint8_t *>(data)), size_(size) {}
    /** A text's bytes; a literal's too, without its NUL. */
    bytes_view(const char *text) noexcept : bytes_view(text, text == nullptr ? 0 : std::strlen(text)) {}
    /** Anything contiguous of one-byte elements: string, string_view, vector, array, span. */
    template <typename C, typename E = std::remove_pointer_t<decltype(std::declval<const C &>().data())>,
              typename = std::enable_if_t<sizeof(E) == 1 && std::is_trivially_copyable_v<std::remove_cv_t<E>>>>
    bytes_view(const C &container) noexcept : bytes_view(container.data(), container.size()) {}

    const std::uint8_t *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const_iterator begin() const noexcept { return data_; }
    const_iterator end() const noexcept { return size_ == 0 ? data_ : data_ + size_; }
    std::uint8_t operator[](std::size_t at) const noexcept {
        assert(at < size_);
        return data_[at];
    }
    /** The same bytes, read as text. */
    std::string_view text() const noexcept { return {static_cast<const char *>(static_cast<const void *>(data_)), size_}; }

    friend bool operator==(bytes_view left, bytes_view right) noexcept {
        return left.size_ == right.size_ && (left.size_ == 0 || std::memcmp(left.data_, right.data_, left.size_) == 0);
    }
    friend bool operator!=(bytes_view left, bytes_view right) noexcept { return !(left == right); }

  private:
    const std::uint8_t *data_ = nullptr;
    std::size_t size_ = 0;
};

/** Sixteen bytes that name a workflow or a message. */
using uuid = std::array<std::uint8_t, 16>;

/** How long to wait. Converts from every std::chrono duration; negative ones poll, those beyond
 * what 64 bits of nanoseconds hold wait without end. */
class timeout {
  public:
    template <typename Rep, typename Period>
    constexpr timeout(std::chrono::duration<Rep, Period> wait) noexcept : nanoseconds_(saturated(wait)) {}

    static constexpr timeout of_nanoseconds(std::uint64_t nanoseconds) noexcept { return timeout(nanoseconds); }

    /** As a timeout_ns parameter reads it: 0 polls. */
    constexpr std::uint64_t as_parameter() const noexcept { return nanoseconds_; }
    /** As a timeout_ns field reads it: 0 would be the default there, so ES_POLL polls. */
    constexpr std::uint64_t as_field() const noexcept { return nanoseconds_ == 0 ? ES_POLL : nanoseconds_; }

  private:
    explicit constexpr timeout(std::uint64_t nanoseconds) noexcept : nanoseconds_(nanoseconds) {}

    template <typename Rep, typename Period>
    static constexpr std::uint64_t saturated(std::chrono::duration<Rep, Period> wait) noexcept {
        if (!(wait > wait.zero())) return 0;
        // In floating point first: the exact conversion below would overflow, which is undefined.
        const auto wide = std::chrono::duration<long double, std::nano>(wait).count();
        // In parentheses, as below: <windows.h> has a macro of this name.
        if (wide >= static_cast<long double>((std::numeric_limits<std::int64_t>::max)())) return ES_FOREVER;
        const auto exact = std::chrono::duration_cast<std::chrono::nanoseconds>(wait).count();
        return exact > 0 ? static_cast<std::uint64_t>(exact) : 1;
    }

    std::uint64_t nanoseconds_;
};

/** Do not wait. */
inline constexpr timeout poll = timeout::of_nanoseconds(0);
/** Wait without end. */
inline constexpr timeout forever = timeout::of_nanoseconds(ES_FOREVER);

/* ---- failures and results ---- */

/** Why a call failed: the C interface's es_error. [any thread] */
class failure {
  public:
    explicit failure(const es_error &raw) noexcept : raw_(raw) {}
    explicit failure(es_status code) noexcept : raw_() {
        raw_.code = code;
        raw_.item_index = ES_NONE;
    }

    /** ES_ERR_*. */
    es_status code() const noexcept { return raw_.code; }
    /** Such as "ES_ERR_QUEUE_FULL". */
    std::string_view name() const noexcept { return es_status_name(raw_.code); }
    /** One line for people; never parse it. */
    std::string_view message() const noexcept { return message_text(); }
    /** The same, NUL-terminated. Valid as long as the failure. */
    const char *message_text() const noexcept {
        return raw_.message[0] != '\0' ? raw_.message : es_status_message(raw_.code);
    }
    /** Whether the same call may succeed later although nothing is changed. */
    bool is_retryable() const noexcept { return es_status_is_retryable(raw_.code) != 0; }
    /** Whether the object takes no more work. */
    bool is_fatal() const noexcept { return es_status_is_fatal(raw_.code) != 0; }
    /** The entry meant, of damage, gaps and failed guards; see es_error. */
    std::uint64_t seq() const noexcept { return raw_.seq; }
    std::uint64_t next_seq() const noexcept { return raw_.next_seq; }
    int os_errno() const noexcept { return raw_.os_errno; }
    /** Which item of a batch or list; nothing when no item is meant. */
    std::optional<std::uint64_t> item_index() const noexcept {
        if (raw_.item_index == ES_NONE) return std::nullopt;
        return raw_.item_index;
    }
    /** All numbers. */
    const es_error &raw() const noexcept { return raw_; }

  private:
    es_error raw_;
};

#if ES_HPP_THROWS_
/** What .value() and throwing ranges throw. */
class exception : public std::exception {
  public:
    explicit exception(const failure &error) noexcept : error_(error) {}
    const char *what() const noexcept override { return error_.message_text(); }
    const failure &error() const noexcept { return error_; }
    es_status code() const noexcept { return error_.code(); }

  private:
    failure error_;
};
#endif

namespace detail {

[[noreturn]] inline void raise(const failure &error) {
#if ES_HPP_THROWS_
    throw exception(error);
#else
    std::fprintf(stderr, "eventstore: %s: %s\n", es_status_name(error.code()), error.message_text());
    std::abort();
#endif
}

} // namespace detail

/** A value, or why there is none. It must not be ignored. */
template <typename T> class [[nodiscard]] result {
  public:
    result(T value) noexcept(std::is_nothrow_move_constructible_v<T>) : held_(std::in_place_index<0>, std::move(value)) {}
    result(const failure &error) noexcept : held_(std::in_place_index<1>, error) {}

    bool has_value() const noexcept { return held_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }
    /** ES_OK, or the failure's code. */
    es_status code() const noexcept { return has_value() ? ES_OK : error().code(); }

    /** The value; throws eventstore::exception if there is none (without exceptions: aborts). */
    T &value() & {
        require();
        return **this;
    }
    const T &value() const & {
        require();
        return **this;
    }
    T value() && {
        require();
        return std::move(**this);
    }
    /** The value, else `other`. */
    T value_or(T other) && { return has_value() ? std::move(**this) : std::move(other); }

    /** The value, which must be there. */
    T &operator*() noexcept {
        assert(has_value());
        return *std::get_if<0>(&held_);
    }
    const T &operator*() const noexcept {
        assert(has_value());
        return *std::get_if<0>(&held_);
    }
    T *operator->() noexcept { return &**this; }
    const T *operator->() const noexcept { return &**this; }

    /** The failure, which must be there. */
    const failure &error() const noexcept {
        assert(!has_value());
        return *std::get_if<1>(&held_);
    }

  private:
    void require() const {
        if (!has_value()) detail::raise(error());
    }

    std::variant<T, failure> held_;
};

/** Done, or why not. It must not be ignored. */
template <> class [[nodiscard]] result<void> {
  public:
    result() noexcept = default;
    result(const failure &error) noexcept : error_(error) {}

    bool has_value() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }
    es_status code() const noexcept { return error_ ? error_->code() : ES_OK; }
    /** Throws eventstore::exception on failure (without exceptions: aborts). */
    void value() const {
        if (error_) detail::raise(*error_);
    }
    /** The failure, which must be there. */
    const failure &error() const noexcept {
        assert(error_.has_value());
        return *error_;
    }

  private:
    std::optional<failure> error_;
};

namespace detail {

/** The answer of a call that gives nothing. */
inline result<void> answer(es_status status, const es_error &err) {
    if (status != ES_OK) return failure(err);
    return {};
}

/** The answer of a call that gives `value`. */
template <typename T> result<T> answer(es_status status, const es_error &err, T value) {
    if (status != ES_OK) return failure(err);
    return result<T>(std::move(value));
}

/** Calls twice: for the size, then with a buffer of it; a live object may ask for more meanwhile.
 * `call(buffer, capacity, needed, err)`. */
template <typename Call> result<std::unique_ptr<std::uint8_t[]>> sized(std::size_t first_guess, Call call) {
    std::size_t capacity = first_guess;
    for (;;) {
        // Not value-initialised: the call fills it.
        std::unique_ptr<std::uint8_t[]> buffer(new std::uint8_t[capacity]);
        std::size_t needed = 0;
        es_error err;
        const es_status status = call(buffer.get(), capacity, &needed, &err);
        if (status == ES_OK) return result<std::unique_ptr<std::uint8_t[]>>(std::move(buffer));
        if (status != ES_ERR_BUFFER_TOO_SMALL || needed <= capacity) return failure(err);
        capacity = needed;
    }
}

/** A path as the C interface gives it. */
template <typename Handle>
result<std::string> path_of(Handle *handle, es_status (*get)(Handle *, char *, std::size_t, std::size_t *, es_error *)) {
    auto text = sized(256, [&](std::uint8_t *buffer, std::size_t capacity, std::size_t *needed, es_error *err) {
        return get(handle, static_cast<char *>(static_cast<void *>(buffer)), capacity, needed, err);
    });
    if (!text) return text.error();
    return std::string(static_cast<const char *>(static_cast<const void *>(text->get())));
}

inline es_string string_of(std::string_view text) noexcept {
    es_string string = ES_STRING_INIT;
    string.data = text.data();
    string.len = text.size();
    return string;
}

inline std::string_view view_of(const es_string &string) noexcept {
    return string.data == nullptr ? std::string_view() : std::string_view(string.data, string.len);
}

/** A handle that frees itself. */
template <typename Handle, void (*Free)(Handle *)> class owned {
  public:
    owned() noexcept = default;
    explicit owned(Handle *handle) noexcept : handle_(handle) {}
    owned(owned &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    owned &operator=(owned &&other) noexcept {
        if (this != &other) reset(std::exchange(other.handle_, nullptr));
        return *this;
    }
    owned(const owned &) = delete;
    owned &operator=(const owned &) = delete;
    ~owned() { Free(handle_); }

    /** Whether there is a handle. */
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    /** The C handle; it stays this object's. */
    Handle *raw() const noexcept { return handle_; }
    /** Gives the C handle away: the caller frees it. */
    [[nodiscard]] Handle *release() noexcept { return std::exchange(handle_, nullptr); }
    /** Frees what it has, and takes `handle`. */
    void reset(Handle *handle = nullptr) noexcept { Free(std::exchange(handle_, handle)); }

  private:
    Handle *handle_ = nullptr;
};

template <typename T> class arrow {
  public:
    explicit arrow(T value) : value_(std::move(value)) {}
    const T *operator->() const noexcept { return &value_; }

  private:
    T value_;
};

} // namespace detail

/* ---- ranges over pages ---- */

/** A range that reads its rows page by page while it is iterated, once. `Source` makes one C call a
 * page. [one thread at a time per object] [never blocks] behind a commit; it reads the file. */
template <typename Source> class paged {
  public:
    using value_type = typename Source::view;

    /** An input iterator; what it gives is valid until it moves on. */
    class iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = typename Source::view;
        using difference_type = std::ptrdiff_t;
        using pointer = detail::arrow<value_type>;
        using reference = value_type;

        iterator() noexcept = default;
        explicit iterator(paged *range) noexcept : range_(range) {}
        value_type operator*() const { return range_->current(); }
        pointer operator->() const { return pointer(range_->current()); }
        iterator &operator++() {
            range_->advance();
            return *this;
        }
        void operator++(int) { range_->advance(); }
        /** Equal when both are at the end. */
        friend bool operator==(const iterator &left, const iterator &right) noexcept { return left.at_end() == right.at_end(); }
        friend bool operator!=(const iterator &left, const iterator &right) noexcept { return !(left == right); }

      private:
        bool at_end() const noexcept { return range_ == nullptr || range_->ended(); }
        paged *range_ = nullptr;
    };

    template <typename... Arguments>
    explicit paged(std::size_t page_rows, std::size_t page_bytes, Arguments &&...arguments)
        : source_(std::forward<Arguments>(arguments)...), row_cap_(page_rows == 0 ? 1 : page_rows), arena_cap_(page_bytes) {}
    paged(const paged &) = delete;
    paged &operator=(const paged &) = delete;
    ~paged() { assert((asked_ || !failure_ || is_unwinding()) && "a failed range was taken for a complete one: ask status()"); }

    /** Reads the first page. A range is iterated once: again, it goes on where it stands, with the
     * page that std::bad_alloc kept from coming. */
    iterator begin() {
        if (!begun_) {
            rows_.reset(new typename Source::row[row_cap_]);
            arena_.reset(new std::uint8_t[arena_cap_]);
            // Only now: without its memory the range would look empty and complete.
            begun_ = more_ = true;
        }
        if (ended() && more_) fetch();
        if (throws_ && failure_) detail::raise(*failure_);
        return iterator(this);
    }
    iterator end() noexcept { return iterator(); }

    /** After the loop: success, or the failure that ended it. `error().seq()` of damage names the
     * row; what follows can be read by a new range behind it. */
    result<void> status() const noexcept {
        asked_ = true;
        if (failure_) return *failure_;
        return {};
    }

    /** Makes the loop throw the failure instead of ending (without exceptions: abort). */
    paged &throwing() & noexcept {
        throws_ = true;
        return *this;
    }
    paged &throwing() && = delete;

  private:
    friend class reader;
    struct throwing_tag {};
    template <typename... Arguments>
    paged(throwing_tag, std::size_t page_rows, std::size_t page_bytes, Arguments &&...arguments)
        : paged(page_rows, page_bytes, std::forward<Arguments>(arguments)...) {
        throws_ = true;
    }

    static bool is_unwinding() noexcept {
#if ES_HPP_THROWS_
        return std::uncaught_exceptions() > 0;
#else
        return false;
#endif
    }
    bool ended() const noexcept { return at_ == count_; }
    value_type current() const noexcept {
        assert(!ended());
        return Source::view_of(rows_[at_], arena_.get());
    }
    void advance() {
        assert(!ended());
        if (++at_ == count_ && more_) fetch();
    }

    /** Replaces the page by the next one that has rows; grows the arena for a row that needs it. */
    void fetch() {
        do {
            es_error err;
            std::size_t count = 0;
            bool more = false;
            const es_status status = source_.fetch(rows_.get(), row_cap_, arena_.get(), arena_cap_, count, more, err);
            at_ = count_ = 0;
            if (status == ES_ERR_BUFFER_TOO_SMALL && err.required > arena_cap_) {
                // Given back before more is asked for; when that throws, the row is still to come.
                more_ = true;
                arena_cap_ = 0;
                arena_.reset();
                arena_.reset(new std::uint8_t[static_cast<std::size_t>(err.required)]);
                arena_cap_ = static_cast<std::size_t>(err.required);
                continue;
            }
            if (status != ES_OK) return fail(failure(err));
            count_ = count;
            more_ = more;
        } while (count_ == 0 && more_);
    }

    void fail(const failure &error) {
        more_ = false;
        failure_ = error;
        if (throws_) {
            asked_ = true;
            detail::raise(error);
        }
    }

    Source source_;
    std::unique_ptr<typename Source::row[]> rows_;
    std::unique_ptr<std::uint8_t[]> arena_;
    std::size_t row_cap_;
    std::size_t arena_cap_;
    std::size_t at_ = 0;
    std::size_t count_ = 0;
    bool begun_ = false;
    bool more_ = false;
    bool throws_ = false;
    mutable bool asked_ = false;
    std::optional<failure> failure_;
};

/* ---- what is written ---- */

/** What a producer hands in: es_draft with room for its keys. It holds views: what they see must
 * stay until the call that takes the draft has returned. [never blocks] It allocates nothing. */
class draft {
  public:
    draft() noexcept : raw_() {}
    draft(std::string_view topic, std::string_view payload_type, bytes_view payload) noexcept : raw_() {
        raw_.topic = topic.data();
        raw_.topic_len = topic.size();
        raw_.payload_type = payload_type.data();
        raw_.payload_type_len = payload_type.size();
        raw_.payload = payload.data();
        raw_.payload_len = payload.size();
    }
    draft(const draft &other) noexcept : raw_(other.raw_) { take_keys(other); }
    draft &operator=(const draft &other) noexcept {
        if (this != &other) {
            raw_ = other.raw_;
            take_keys(other);
        }
        return *this;
    }

    /** The domain clock, in nanoseconds since the Unix epoch. */
    draft &ts_init(std::uint64_t nanoseconds) noexcept {
        raw_.ts_init = nanoseconds;
        return *this;
    }
    /** When it was published; 0: stamped at submit. */
    draft &ts_publish(std::uint64_t nanoseconds) noexcept {
        raw_.ts_publish = nanoseconds;
        return *this;
    }
    draft &correlation_id(const uuid &id) noexcept {
        std::memcpy(raw_.correlation_id, id.data(), id.size());
        raw_.flags |= ES_DRAFT_HAS_CORRELATION_ID;
        return *this;
    }
    draft &causation_id(const uuid &id) noexcept {
        std::memcpy(raw_.causation_id, id.data(), id.size());
        raw_.flags |= ES_DRAFT_HAS_CAUSATION_ID;
        return *this;
    }
    /** A name to find the entry by, of ES_INDEX_*. More than ES_INDEX_KEYS_MAX are counted, not
     * kept: the call that takes the draft then answers ES_ERR_INVALID_ARGUMENT. */
    draft &key(std::uint32_t kind, std::string_view text) noexcept {
        if (raw_.key_count < keys_.size()) {
            es_index_key added = ES_INDEX_KEY_INIT;
            added.key = text.data();
            added.key_len = text.size();
            added.kind = kind;
            keys_[raw_.key_count] = added;
        }
        ++raw_.key_count;
        raw_.keys = keys_.data();
        return *this;
    }
    draft &client_order_id(std::string_view text) noexcept { return key(ES_INDEX_CLIENT_ORDER_ID, text); }
    draft &venue_order_id(std::string_view text) noexcept { return key(ES_INDEX_VENUE_ORDER_ID, text); }

    /** As the C interface takes it; its keys lie in this object. */
    const es_draft &raw() const noexcept { return raw_; }

  private:
    void take_keys(const draft &other) noexcept {
        if (raw_.key_count == 0) return;
        for (std::size_t at = 0; at < keys_.size() && at < raw_.key_count; ++at) keys_[at] = other.keys_[at];
        raw_.keys = keys_.data();
    }

    es_draft raw_;
    std::array<es_index_key, ES_INDEX_KEYS_MAX> keys_;
};

/** Drafts that become entries together: all or none, with contiguous seqs. */
class batch {
  public:
    /** Adds a draft and gives it for more (`batch.add(..).client_order_id(..)`); the reference is
     * valid until the next one is added. */
    draft &add(const draft &added) {
        drafts_.push_back(added);
        return drafts_.back();
    }
    draft &add(std::string_view topic, std::string_view payload_type, bytes_view payload) {
        return add(draft(topic, payload_type, payload));
    }
    void reserve(std::size_t count) { drafts_.reserve(count); }
    void clear() noexcept { drafts_.clear(); }
    std::size_t size() const noexcept { return drafts_.size(); }
    bool empty() const noexcept { return drafts_.empty(); }
    /** The drafts as the C interface takes them, valid until the batch is changed. [one thread at a
     * time per object] Packed, so that their stride is their size, whatever a later es_draft holds. */
    const es_draft *packed() const {
        packed_.clear();
        packed_.reserve(drafts_.capacity());
        for (const draft &each : drafts_) packed_.push_back(each.raw());
        return packed_.data();
    }

  private:
    std::vector<draft> drafts_;
    mutable std::vector<es_draft> packed_;
};

/** What a run says of itself; views, needed until open_run has returned. See es_manifest. */
struct manifest {
    using pair = std::pair<std::string_view, std::string_view>;

    std::string_view run_id;
    std::string_view parent_run_id;
    std::string_view instance_id;
    std::string_view binary_hash;
    std::string_view crate_versions;
    std::string_view config_hash;
    std::vector<std::string_view> feature_flags;
    std::vector<pair> adapter_versions;
    std::vector<pair> actors;
    std::vector<pair> strategies;
    std::vector<pair> algorithms;
    std::vector<std::string_view> subscriptions;
    std::vector<std::string_view> endpoints;
    std::optional<std::uint64_t> seed;
    std::uint64_t start_ts_init = 0;
    std::uint32_t schema_version = 0;
};

/** The manifest of a run, with the memory that its texts lie in. Move-only. */
class stored_manifest {
  public:
    stored_manifest(const es_manifest &raw, std::unique_ptr<std::uint8_t[]> arena) noexcept : raw_(raw), arena_(std::move(arena)) {}

    std::string_view run_id() const noexcept { return detail::view_of(raw_.run_id); }
    /** Empty: none. */
    std::string_view parent_run_id() const noexcept { return detail::view_of(raw_.parent_run_id); }
    std::string_view instance_id() const noexcept { return detail::view_of(raw_.instance_id); }
    std::string_view binary_hash() const noexcept { return detail::view_of(raw_.binary_hash); }
    std::string_view crate_versions() const noexcept { return detail::view_of(raw_.crate_versions); }
    std::string_view config_hash() const noexcept { return detail::view_of(raw_.config_hash); }
    std::vector<std::string_view> feature_flags() const { return texts(raw_.feature_flags, raw_.feature_flag_count); }
    std::vector<manifest::pair> adapter_versions() const { return pairs(raw_.adapter_versions, raw_.adapter_version_count); }
    std::vector<manifest::pair> actors() const { return pairs(raw_.actors, raw_.actor_count); }
    std::vector<manifest::pair> strategies() const { return pairs(raw_.strategies, raw_.strategy_count); }
    std::vector<manifest::pair> algorithms() const { return pairs(raw_.algorithms, raw_.algorithm_count); }
    std::vector<std::string_view> subscriptions() const { return texts(raw_.subscriptions, raw_.subscription_count); }
    std::vector<std::string_view> endpoints() const { return texts(raw_.endpoints, raw_.endpoint_count); }
    std::optional<std::uint64_t> seed() const noexcept { return given(ES_MANIFEST_HAS_SEED, raw_.seed); }
    /** Known once sealed, of a run with entries. */
    std::optional<std::uint64_t> end_ts_init() const noexcept { return given(ES_MANIFEST_HAS_END, raw_.end_ts_init); }
    std::uint64_t start_ts_init() const noexcept { return raw_.start_ts_init; }
    /** As sealed; a live reader's is reader::high_watermark. */
    std::uint64_t high_watermark() const noexcept { return raw_.high_watermark; }
    std::uint32_t schema_version() const noexcept { return raw_.schema_version; }
    /** ES_RUN_*. */
    std::uint32_t status() const noexcept { return raw_.status; }
    const es_manifest &raw() const noexcept { return raw_; }

  private:
    std::optional<std::uint64_t> given(std::uint32_t flag, std::uint64_t number) const noexcept {
        if ((raw_.flags & flag) == 0) return std::nullopt;
        return number;
    }
    static std::vector<std::string_view> texts(const es_string *list, std::size_t count) {
        std::vector<std::string_view> found(count);
        for (std::size_t at = 0; at < count; ++at) found[at] = detail::view_of(list[at]);
        return found;
    }
    static std::vector<manifest::pair> pairs(const es_string_pair *list, std::size_t count) {
        std::vector<manifest::pair> found(count);
        for (std::size_t at = 0; at < count; ++at) found[at] = {detail::view_of(list[at].key), detail::view_of(list[at].value)};
        return found;
    }

    es_manifest raw_;
    std::unique_ptr<std::uint8_t[]> arena_;
};

/** How open_run opens a run: es_open_options, set field by field in a chain. */
class open_options {
  public:
    /** ES_BACKEND_*. */
    open_options &backend(std::uint32_t kind) noexcept { return set(raw_.backend, kind); }
    /** ES_DURABILITY_*. */
    open_options &durability(std::uint32_t kind) noexcept { return set(raw_.durability, kind); }
    /** ES_WAIT_*. */
    open_options &wait_policy(std::uint32_t kind) noexcept { return set(raw_.wait_policy, kind); }
    /** A full queue and no commit for so long halts the run; forever: never. Not set: 250 ms. */
    open_options &halt_after(timeout stall) noexcept { return set(raw_.halt_after_ns, stall.as_field()); }
    open_options &queue(std::uint64_t entries, std::uint64_t bytes = 0) noexcept {
        raw_.queue_bytes = bytes;
        return set(raw_.queue_entries, entries);
    }
    open_options &cache_bytes(std::uint64_t bytes) noexcept { return set(raw_.cache_bytes, bytes); }
    /** The number of the CPU to bind the writer's thread to. One that is not there is no error and
     * leaves it unbound. Not set: unbound. */
    open_options &writer_cpu(std::uint32_t cpu) noexcept {
        // The field is the number plus one; the largest number names no CPU either way.
        return set(raw_.writer_cpu, cpu == UINT32_MAX ? cpu : cpu + 1);
    }
    /** ES_OPEN_*, in addition. */
    open_options &flags(std::uint32_t added) noexcept { return set(raw_.flags, raw_.flags | added); }
    /** The key of the run digest. */
    open_options &digest_key(const std::array<std::uint8_t, 32> &key) noexcept {
        std::memcpy(raw_.digest_key, key.data(), key.size());
        return flags(ES_OPEN_DIGEST_KEY);
    }
    /** Called once if the run halts; see es_halt_fn for what it may do. It must not throw. */
    open_options &on_halt(es_halt_fn function, void *context) noexcept {
        raw_.on_halt_context = context;
        return set(raw_.on_halt, function);
    }
    /** For every other field. */
    es_open_options &raw() noexcept { return raw_; }
    const es_open_options &raw() const noexcept { return raw_; }

  private:
    template <typename T> open_options &set(T &field, T value) noexcept {
        field = value;
        return *this;
    }

    es_open_options raw_ = ES_OPEN_OPTIONS_INIT;
};

/** How a run is opened for reading: es_reader_options. */
class reader_options {
  public:
    /** Checks the whole file at open; reads it once. */
    reader_options &check() noexcept {
        raw_.flags |= ES_READ_CHECK;
        return *this;
    }
    reader_options &cache_bytes(std::uint64_t bytes) noexcept {
        raw_.cache_bytes = bytes;
        return *this;
    }
    /** The key of a keyed run, for reader::seal. */
    reader_options &digest_key(const std::array<std::uint8_t, 32> &key) noexcept {
        std::memcpy(raw_.digest_key, key.data(), key.size());
        raw_.flags |= ES_READ_DIGEST_KEY;
        return *this;
    }
    es_reader_options &raw() noexcept { return raw_; }
    const es_reader_options &raw() const noexcept { return raw_; }

  private:
    es_reader_options raw_ = ES_READER_OPTIONS_INIT;
};

/** How an operation over runs is done: es_operation_options. */
class operation_options {
  public:
    /** recover: only says what would be done. */
    operation_options &dry_run() noexcept {
        raw_.flags |= ES_OPERATION_DRY_RUN;
        return *this;
    }
    operation_options &digest_key(const std::array<std::uint8_t, 32> &key) noexcept {
        std::memcpy(raw_.digest_key, key.data(), key.size());
        raw_.flags |= ES_OPERATION_DIGEST_KEY;
        return *this;
    }
    /** verify_run: the digest that was kept when the run was closed. */
    operation_options &expected_digest(const std::array<std::uint8_t, 32> &digest) noexcept {
        std::memcpy(raw_.expected_digest, digest.data(), digest.size());
        raw_.flags |= ES_OPERATION_EXPECTED_DIGEST;
        return *this;
    }
    /** verify_run: how many threads read the run, the caller's among them; 0: as many as there are
     *  processors that the process may use; at most 1,024. */
    operation_options &threads(std::uint32_t count) noexcept {
        raw_.threads = count;
        return *this;
    }
    operation_options &cache_bytes(std::uint64_t bytes) noexcept {
        raw_.cache_bytes = bytes;
        return *this;
    }
    es_operation_options &raw() noexcept { return raw_; }
    const es_operation_options &raw() const noexcept { return raw_; }

  private:
    es_operation_options raw_ = ES_OPERATION_OPTIONS_INIT;
};

/* ---- what is read ---- */

/** A key of an entry, or of an index. */
struct key_view {
    /** ES_INDEX_*. */
    std::uint32_t kind;
    std::string_view text;
};

/** One committed entry, in memory that somebody else owns. */
class entry_view {
  public:
    entry_view(const es_entry *raw, const std::uint8_t *arena) noexcept : raw_(raw), arena_(arena) {}

    /** Position in the run, from 1; the only order of replay. */
    std::uint64_t seq() const noexcept { return raw_->seq; }
    std::uint64_t ts_init() const noexcept { return raw_->ts_init; }
    std::uint64_t ts_publish() const noexcept { return raw_->ts_publish; }
    /** The bytes behind these two end with a NUL. */
    std::string_view topic() const noexcept { return text(raw_->topic_offset, raw_->topic_len); }
    std::string_view payload_type() const noexcept { return text(raw_->payload_type_offset, raw_->payload_type_len); }
    /** Aligned as the C interface gives it: its offset in the page is a multiple of 8. */
    bytes_view payload() const noexcept { return {arena_ + raw_->payload_offset, static_cast<std::size_t>(raw_->payload_len)}; }
    std::optional<uuid> correlation_id() const noexcept { return id(ES_ENTRY_HAS_CORRELATION_ID, raw_->correlation_id); }
    std::optional<uuid> causation_id() const noexcept { return id(ES_ENTRY_HAS_CAUSATION_ID, raw_->causation_id); }
    /** Whether the file records this entry's keys; else they are unknown, not absent. */
    bool keys_recorded() const noexcept { return (raw_->flags & ES_ENTRY_KEYS_RECORDED) != 0; }
    std::size_t key_count() const noexcept { return raw_->key_count; }
    /** Its keys, in order. */
    std::vector<key_view> keys() const {
        std::vector<key_view> found;
        found.reserve(raw_->key_count);
        const std::uint8_t *at = arena_ + raw_->keys_offset;
        for (std::uint32_t key = 0; key < raw_->key_count; ++key) {
            const std::uint32_t kind = at[0] | static_cast<std::uint32_t>(at[1]) << 8;
            const std::size_t length = at[2] | static_cast<std::size_t>(at[3]) << 8;
            found.push_back({kind, bytes_view(at + 4, length).text()});
            at += 4 + length;
        }
        return found;
    }
    /** BLAKE3 of all of it but the keys, recomputed for this read; 32 bytes. */
    bytes_view hash() const noexcept { return {raw_->entry_hash, sizeof raw_->entry_hash}; }
    const es_entry &raw() const noexcept { return *raw_; }

  private:
    std::string_view text(std::uint64_t offset, std::uint32_t length) const noexcept {
        return bytes_view(arena_ + offset, length).text();
    }
    std::optional<uuid> id(std::uint32_t flag, const std::uint8_t *bytes) const noexcept {
        if ((raw_->flags & flag) == 0) return std::nullopt;
        uuid copy;
        std::memcpy(copy.data(), bytes, copy.size());
        return copy;
    }

    const es_entry *raw_;
    const std::uint8_t *arena_;
};

/** One committed entry with its memory. Move-only. */
class entry {
  public:
    entry(const es_entry &raw, std::unique_ptr<std::uint8_t[]> arena) noexcept : raw_(raw), arena_(std::move(arena)) {}
    /** Valid as long as this object stays where it is. */
    entry_view view() const & noexcept { return {&raw_, arena_.get()}; }
    entry_view view() const && = delete;
    detail::arrow<entry_view> operator->() const noexcept { return detail::arrow<entry_view>({&raw_, arena_.get()}); }

  private:
    es_entry raw_;
    std::unique_ptr<std::uint8_t[]> arena_;
};

/** One row of an index: a key and the first entry that has it. */
struct index_view {
    std::string_view key;
    std::uint64_t seq;
};

/** The latest anchor of a run. */
struct anchor {
    std::uint64_t high_watermark;
    std::string blob_ref;
    std::string content_hash;
};

/** The digest that was stored at seal. */
struct run_digest {
    std::array<std::uint8_t, 32> bytes;
    bool keyed;
};

/** One run in a report; see es_run_row. */
class run_row_view {
  public:
    run_row_view(const es_run_row *raw, const std::uint8_t *arena) noexcept : raw_(raw), arena_(arena) {}
    std::string_view run_id() const noexcept { return text(raw_->run_id_offset, raw_->run_id_len); }
    std::string_view path() const noexcept { return text(raw_->path_offset, raw_->path_len); }
    /** Empty: none. */
    std::string_view parent_run_id() const noexcept { return text(raw_->parent_offset, raw_->parent_len); }
    /** For people; empty: none. */
    std::string_view reason() const noexcept { return text(raw_->reason_offset, raw_->reason_len); }
    /** ES_OUTCOME_*. */
    std::uint32_t outcome() const noexcept { return raw_->outcome; }
    bool needs_repair() const noexcept { return (raw_->flags & ES_ROW_NEEDS_REPAIR) != 0; }
    bool has_manifest() const noexcept { return (raw_->flags & ES_ROW_HAS_MANIFEST) != 0; }
    /** Numbers, and which of them are known. */
    const es_run_row &raw() const noexcept { return *raw_; }

  private:
    std::string_view text(std::uint64_t offset, std::uint32_t length) const noexcept {
        return length == 0 ? std::string_view() : bytes_view(arena_ + offset, length).text();
    }

    const es_run_row *raw_;
    const std::uint8_t *arena_;
};

/** One thing that is wrong with a run; see es_finding. */
class finding_view {
  public:
    finding_view(const es_finding *raw, const std::uint8_t *arena) noexcept : raw_(raw), arena_(arena) {}
    /** ES_FINDING_*. */
    std::uint32_t kind() const noexcept { return raw_->kind; }
    std::uint64_t seq() const noexcept { return raw_->seq; }
    /** A line for people. */
    std::string_view text() const noexcept { return part(raw_->text_offset, raw_->text_len); }
    /** The key of an index drift. */
    std::string_view key() const noexcept { return part(raw_->key_offset, raw_->key_len); }
    const es_finding &raw() const noexcept { return *raw_; }

  private:
    std::string_view part(std::uint64_t offset, std::uint32_t length) const noexcept {
        return length == 0 ? std::string_view() : bytes_view(arena_ + offset, length).text();
    }

    const es_finding *raw_;
    const std::uint8_t *arena_;
};

namespace detail {

/** es_scan_range, page after page. */
class entry_source {
  public:
    using row = es_entry;
    using view = entry_view;

    entry_source(es_reader *reader, std::uint64_t from, std::uint64_t to, std::uint32_t direction) noexcept : reader_(reader) {
        request_.from = from;
        request_.to = to;
        request_.direction = direction;
    }
    es_status fetch(row *rows, std::size_t row_cap, void *arena, std::size_t arena_cap, std::size_t &count, bool &more, es_error &err) {
        es_scan_result page = ES_SCAN_RESULT_INIT;
        const es_status status = es_scan_range(reader_, &request_, rows, sizeof(row), row_cap, arena, arena_cap, &page, &err);
        if (status != ES_OK) return status;
        (request_.direction == ES_BACKWARD ? request_.to : request_.from) = page.next_seq;
        count = static_cast<std::size_t>(page.rows);
        more = page.more != 0;
        return status;
    }
    static view view_of(const row &raw, const std::uint8_t *arena) noexcept { return {&raw, arena}; }

  private:
    es_reader *reader_;
    es_scan_request request_ = ES_SCAN_REQUEST_INIT;
};

/** es_scan_index, page after page. */
class index_source {
  public:
    using row = es_index_row;
    using view = index_view;

    index_source(es_reader *reader, std::uint32_t kind, std::string_view after) : reader_(reader), kind_(kind), after_(after) {}
    es_status fetch(row *rows, std::size_t row_cap, void *arena, std::size_t arena_cap, std::size_t &count, bool &more, es_error &err) {
        es_index_request request = ES_INDEX_REQUEST_INIT;
        es_index_result page = ES_INDEX_RESULT_INIT;
        request.kind = kind_;
        request.after = after_.empty() ? nullptr : after_.data();
        request.after_len = after_.size();
        const es_status status = es_scan_index(reader_, &request, rows, sizeof(row), row_cap, arena, arena_cap, &page, &err);
        if (status != ES_OK) return status;
        count = static_cast<std::size_t>(page.rows);
        more = page.more != 0;
        // Copied: the next page overwrites the arena that the last key lies in.
        if (count > 0) after_ = view_of(rows[count - 1], static_cast<const std::uint8_t *>(arena)).key;
        return status;
    }
    static view view_of(const row &raw, const std::uint8_t *arena) noexcept {
        return {bytes_view(arena + raw.key_offset, raw.key_len).text(), raw.seq};
    }

  private:
    es_reader *reader_;
    std::uint32_t kind_;
    std::string after_;
};

/** es_read_run_rows and es_read_findings, page after page. */
template <typename Row, typename View,
          es_status (*Read)(es_report *, std::uint64_t, Row *, std::size_t, std::size_t, void *, std::size_t, es_page_result *, es_error *)>
class report_source {
  public:
    using row = Row;
    using view = View;

    explicit report_source(es_report *report) noexcept : report_(report) {}
    es_status fetch(row *rows, std::size_t row_cap, void *arena, std::size_t arena_cap, std::size_t &count, bool &more, es_error &err) {
        es_page_result page = ES_PAGE_RESULT_INIT;
        const es_status status = Read(report_, from_, rows, sizeof(row), row_cap, arena, arena_cap, &page, &err);
        if (status != ES_OK) return status;
        from_ += page.rows;
        count = static_cast<std::size_t>(page.rows);
        more = page.more != 0;
        return status;
    }
    static view view_of(const row &raw, const std::uint8_t *arena) noexcept { return {&raw, arena}; }

  private:
    es_report *report_;
    std::uint64_t from_ = 0;
};

} // namespace detail

/** Entries of a run, in order. */
using scan_range = paged<detail::entry_source>;
/** Rows of an index, in byte order of their keys. */
using index_range = paged<detail::index_source>;
/** What a report says of runs. */
using run_row_range = paged<detail::report_source<es_run_row, run_row_view, es_read_run_rows>>;
/** What a report found wrong. */
using finding_range = paged<detail::report_source<es_finding, finding_view, es_read_findings>>;

/** What to scan, and how much at a time. The default: everything, forward. */
struct scan_options {
    std::uint64_t from = 1;
    std::uint64_t to = (std::numeric_limits<std::uint64_t>::max)();
    /** ES_FORWARD or ES_BACKWARD. */
    std::uint32_t direction = ES_FORWARD;
    std::size_t page_entries = 1024;
    /** Grows when an entry needs more. */
    std::size_t page_bytes = std::size_t(1) << 20;
};

/* ---- handles ---- */

/** A view of a run for reading; independent of any run object. Move-only; frees itself. */
class reader : public detail::owned<es_reader, es_free_reader> {
  public:
    using owned::owned;

    /** Entries, to be iterated: `auto range = reader.scan(); for (auto entry : range) ..` and then
     * range.status(). Errors: as es_scan_range. [any thread] one range each. */
    scan_range scan(const scan_options &options = {}) const {
        return scan_range(options.page_entries, options.page_bytes, raw(), options.from, options.to, options.direction);
    }
    /** The same, throwing: `for (auto entry : reader.entries())`. Without exceptions: aborts. */
    scan_range entries(const scan_options &options = {}) const {
        return scan_range(scan_range::throwing_tag(), options.page_entries, options.page_bytes, raw(), options.from, options.to,
                          options.direction);
    }
    /** One entry with its memory. Errors: as es_get_entry. [any thread] [never blocks] */
    result<entry> get(std::uint64_t seq) const {
        es_entry row;
        auto arena = detail::sized(1024, [&](std::uint8_t *buffer, std::size_t capacity, std::size_t *needed, es_error *err) {
            return es_get_entry(raw(), seq, &row, sizeof row, buffer, capacity, needed, err);
        });
        if (!arena) return arena.error();
        return entry(row, std::move(*arena));
    }
    /** The first entry that has a key, of ES_INDEX_*; ES_ERR_NOT_FOUND: none has it. Errors: as
     * es_lookup. [any thread] [never blocks] */
    result<std::uint64_t> lookup(std::uint32_t kind, std::string_view key) const {
        std::uint64_t seq = 0;
        es_error err;
        const es_status status = es_lookup(raw(), kind, key.data(), key.size(), &seq, &err);
        return detail::answer(status, err, seq);
    }
    /** An index, to be iterated, after a key (empty: from its start). Errors: as es_scan_index. */
    index_range index(std::uint32_t kind, std::string_view after = {}, std::size_t page_rows = 1024) const {
        return index_range(page_rows, std::size_t(64) << 10, raw(), kind, after);
    }
    /** The first entry whose ts_init is at or after a time. Errors: as es_find_first_seq. */
    result<std::uint64_t> find_first_seq(std::uint64_t ts_init) const {
        std::uint64_t seq = 0;
        es_error err;
        const es_status status = es_find_first_seq(raw(), ts_init, &seq, &err);
        return detail::answer(status, err, seq);
    }
    /** The largest durable seq; 0: none. Errors: as es_get_high_watermark. */
    result<std::uint64_t> high_watermark() const {
        std::uint64_t seq = 0;
        es_error err;
        const es_status status = es_get_high_watermark(raw(), &seq, &err);
        return detail::answer(status, err, seq);
    }
    /** The latest anchor; ES_ERR_NOT_FOUND: none. Errors: as es_get_anchor. */
    result<anchor> latest_anchor() const {
        es_anchor found;
        auto arena = detail::sized(1024, [&](std::uint8_t *buffer, std::size_t capacity, std::size_t *needed, es_error *err) {
            return es_get_anchor(raw(), &found, sizeof found, buffer, capacity, needed, err);
        });
        if (!arena) return arena.error();
        return anchor{found.high_watermark, std::string(detail::view_of(found.blob_ref)), std::string(detail::view_of(found.content_hash))};
    }
    /** Waits until the run holds `seq`, is sealed, or its writer is gone: look at flags, ES_TAIL_*.
     * Errors: as es_wait_tail. [any thread] [blocks] */
    result<es_tail_result> wait_tail(std::uint64_t seq, timeout longest) const {
        es_tail_result tail = ES_TAIL_RESULT_INIT;
        es_error err;
        const es_status status = es_wait_tail(raw(), seq, longest.as_parameter(), &tail, &err);
        return detail::answer(status, err, tail);
    }
    /** What to replay after the latest anchor. Errors: as es_get_restore_plan. */
    result<es_restore_plan> restore_plan() const {
        es_restore_plan plan = ES_RESTORE_PLAN_INIT;
        es_error err;
        const es_status status = es_get_restore_plan(raw(), &plan, &err);
        return detail::answer(status, err, plan);
    }
    /** What the run says of itself. Errors: as es_get_manifest. */
    result<stored_manifest> get_manifest() const {
        es_manifest found = ES_MANIFEST_INIT;
        auto arena = detail::sized(4096, [&](std::uint8_t *buffer, std::size_t capacity, std::size_t *needed, es_error *err) {
            return es_get_manifest(raw(), &found, buffer, capacity, needed, err);
        });
        if (!arena) return arena.error();
        return stored_manifest(found, std::move(*arena));
    }
    /** The run digest; ES_ERR_NOT_FOUND: none is stored. Errors: as es_get_digest. */
    result<run_digest> digest() const {
        run_digest found{};
        std::uint32_t keyed = 0;
        es_error err;
        const es_status status = es_get_digest(raw(), found.bytes.data(), found.bytes.size(), &keyed, &err);
        found.keyed = keyed != 0;
        return detail::answer(status, err, found);
    }
    /** The file; empty for a memory run. Errors: as es_get_reader_path. */
    result<std::string> path() const { return detail::path_of(raw(), es_get_reader_path); }
    /** Seals a crashed run with ES_RUN_*. Errors: as es_seal_run.
     * [one thread at a time per object] [blocks] */
    result<es_close_result> seal(std::uint32_t status_of_run = ES_RUN_CRASHED_RECOVERED) {
        es_close_result sealed = ES_CLOSE_RESULT_INIT;
        es_error err;
        const es_status status = es_seal_run(raw(), status_of_run, &sealed, &err);
        return detail::answer(status, err, sealed);
    }
};

/** A run that this process writes. Move-only; destruction detaches an open one (es_free_run):
 * close it. */
class run : public detail::owned<es_run, es_free_run> {
  public:
    using owned::owned;

    /** Hands one entry to the writer and gives its seq at once. `wait`: how long to wait for room;
     * `expected_seq`: the seq it must get, 0: any. Errors: as es_submit.
     * [any thread] [never blocks] unless `wait` asks for it. It allocates nothing. */
    result<std::uint64_t> submit(const draft &entry, timeout wait = poll, std::uint64_t expected_seq = 0) const {
        std::uint64_t seq = 0;
        es_error err;
        es_submit_options options = ES_SUBMIT_OPTIONS_INIT;
        options.expected_seq = expected_seq;
        options.timeout_ns = wait.as_field();
        const es_status status = es_submit(raw(), &entry.raw(), sizeof(es_draft), &options, &seq, &err);
        return detail::answer(status, err, seq);
    }
    /** Hands a batch to the writer and gives its first seq at once. Errors: as es_submit_batch.
     * [any thread] [never blocks] unless `wait` asks for it. */
    result<std::uint64_t> submit(const batch &entries, timeout wait = poll, std::uint64_t expected_seq = 0) const {
        std::uint64_t seq = 0;
        es_error err;
        es_submit_options options = ES_SUBMIT_OPTIONS_INIT;
        options.expected_seq = expected_seq;
        options.timeout_ns = wait.as_field();
        const es_status status = es_submit_batch(raw(), entries.packed(), sizeof(es_draft), entries.size(), &options, &seq, &err);
        return detail::answer(status, err, seq);
    }
    /** Hands a batch without pointers to the writer and gives its first seq at once; a page that
     * es_scan_range filled is one. Errors: as es_submit_packed.
     * [any thread] [never blocks] unless `wait` asks for it. */
    result<std::uint64_t> submit_packed(const es_packed_draft *drafts, std::size_t stride, std::size_t count, bytes_view arena,
                                        timeout wait = poll, std::uint64_t expected_seq = 0) const {
        std::uint64_t seq = 0;
        es_error err;
        es_submit_options options = ES_SUBMIT_OPTIONS_INIT;
        options.expected_seq = expected_seq;
        options.timeout_ns = wait.as_field();
        const es_status status = es_submit_packed(raw(), drafts, stride, count, arena.data(), arena.size(), &options, &seq, &err);
        return detail::answer(status, err, seq);
    }
    /** Appends a batch and returns when it is durable. Errors: as es_append_batch.
     * [any thread] [blocks] */
    result<es_append_result> append(const batch &entries, std::uint64_t expected_seq = 0) const {
        es_append_result done = ES_APPEND_RESULT_INIT;
        es_error err;
        es_append_options options = ES_APPEND_OPTIONS_INIT;
        options.expected_seq = expected_seq;
        const es_status status = es_append_batch(raw(), entries.packed(), sizeof(es_draft), entries.size(), &options, &done, &err);
        return detail::answer(status, err, done);
    }
    /** Waits until all entries up to `seq` are on stable storage. Errors: as es_wait_durable.
     * [any thread] [blocks] */
    result<void> wait_durable(std::uint64_t seq, timeout longest) const {
        es_error err;
        const es_status status = es_wait_durable(raw(), seq, longest.as_parameter(), &err);
        return detail::answer(status, err);
    }
    /** Waits until everything that is claimed now is on stable storage. Errors: as es_flush.
     * [any thread] [blocks] */
    result<void> flush(timeout longest) const {
        es_error err;
        const es_status status = es_flush(raw(), longest.as_parameter(), &err);
        return detail::answer(status, err);
    }
    /** Commits one group of a run with ES_OPEN_MANUAL_WRITER; gives how many entries. Errors: as
     * es_do_work. [one thread at a time per object] [blocks] */
    result<std::uint64_t> do_work() const {
        std::uint64_t committed = 0;
        es_error err;
        const es_status status = es_do_work(raw(), &committed, &err);
        return detail::answer(status, err, committed);
    }
    /** Records that a snapshot kept elsewhere covers every entry up to `seq`. Errors: as
     * es_record_anchor. [any thread] [blocks] */
    result<void> record_anchor(std::uint64_t seq, std::string_view blob_ref, std::string_view content_hash, timeout longest) const {
        es_error err;
        const es_status status = es_record_anchor(raw(), seq, blob_ref.data(), blob_ref.size(), content_hash.data(), content_hash.size(),
                                                  longest.as_parameter(), &err);
        return detail::answer(status, err);
    }
    /** Ends the run and seals it; look at `sealed` of the answer. `end_ts_init`: of RunEnded, 0: the
     * largest so far; `end_ts_publish`: 0: stamped. Errors: as es_close_run. [any thread] [blocks] */
    result<es_close_result> close(timeout longest = forever, std::uint64_t end_ts_init = 0, std::uint64_t end_ts_publish = 0) const {
        es_close_result closed = ES_CLOSE_RESULT_INIT;
        es_error err;
        es_close_options options = ES_CLOSE_OPTIONS_INIT;
        options.timeout_ns = longest.as_field();
        options.end_ts_init = end_ts_init;
        options.end_ts_publish = end_ts_publish;
        const es_status status = es_close_run(raw(), &options, &closed, &err);
        return detail::answer(status, err, closed);
    }
    /** A reader of this run, live or closed. Errors: as es_open_reader. [any thread] */
    result<reader> open_reader() const {
        es_reader *opened = nullptr;
        es_error err;
        const es_status status = es_open_reader(raw(), &opened, &err);
        return detail::answer(status, err, reader(opened));
    }
    /** Where the run stands. Errors: as es_get_run_state. [any thread] [never blocks] */
    result<es_run_state> state() const {
        es_run_state now;
        es_error err;
        const es_status status = es_get_run_state(raw(), &now, sizeof now, &err);
        if (status != ES_OK) return failure(err);
        return now;
    }
    /** What the run has done. Errors: as es_get_run_stats. [any thread] [never blocks] */
    result<es_run_stats> stats() const {
        es_run_stats now;
        es_error err;
        const es_status status = es_get_run_stats(raw(), &now, sizeof now, &err);
        if (status != ES_OK) return failure(err);
        return now;
    }
    /** The file; empty for a memory run. Errors: as es_get_run_path. [any thread] */
    result<std::string> path() const { return detail::path_of(raw(), es_get_run_path); }
    /** A descriptor to poll, the run's own. Errors: as es_open_durable_fd. [any thread] */
    result<std::int32_t> durable_fd() const {
        std::int32_t descriptor = -1;
        es_error err;
        const es_status status = es_open_durable_fd(raw(), &descriptor, &err);
        return detail::answer(status, err, descriptor);
    }
};

/** What an operation over runs answered. Move-only; frees itself. */
class report : public detail::owned<es_report, es_free_report> {
  public:
    using owned::owned;

    /** What it found and did, in numbers. Errors: as es_get_report_summary. [any thread] */
    result<es_report_summary> summary() const {
        es_report_summary found = ES_REPORT_SUMMARY_INIT;
        es_error err;
        const es_status status = es_get_report_summary(raw(), &found, &err);
        return detail::answer(status, err, found);
    }
    /** What it says of runs. Errors: as es_read_run_rows. [any thread] one range each. */
    run_row_range rows() const { return run_row_range(256, std::size_t(64) << 10, raw()); }
    /** What it found wrong. Errors: as es_read_findings. [any thread] one range each. */
    finding_range findings() const { return finding_range(256, std::size_t(64) << 10, raw()); }
};

/* ---- opening ---- */

namespace detail {

/** A manifest as the C interface takes it; the lists live in this object. */
class manifest_argument {
  public:
    explicit manifest_argument(const manifest &from) {
        raw_.run_id = string_of(from.run_id);
        raw_.parent_run_id = string_of(from.parent_run_id);
        raw_.instance_id = string_of(from.instance_id);
        raw_.binary_hash = string_of(from.binary_hash);
        raw_.crate_versions = string_of(from.crate_versions);
        raw_.config_hash = string_of(from.config_hash);
        fill(raw_.feature_flags, raw_.feature_flag_count, texts_[0], from.feature_flags);
        fill(raw_.subscriptions, raw_.subscription_count, texts_[1], from.subscriptions);
        fill(raw_.endpoints, raw_.endpoint_count, texts_[2], from.endpoints);
        fill(raw_.adapter_versions, raw_.adapter_version_count, pairs_[0], from.adapter_versions);
        fill(raw_.actors, raw_.actor_count, pairs_[1], from.actors);
        fill(raw_.strategies, raw_.strategy_count, pairs_[2], from.strategies);
        fill(raw_.algorithms, raw_.algorithm_count, pairs_[3], from.algorithms);
        raw_.start_ts_init = from.start_ts_init;
        raw_.schema_version = from.schema_version;
        if (from.seed) {
            raw_.seed = *from.seed;
            raw_.flags |= ES_MANIFEST_HAS_SEED;
        }
    }
    manifest_argument(const manifest_argument &) = delete;
    manifest_argument &operator=(const manifest_argument &) = delete;
    const es_manifest *raw() const noexcept { return &raw_; }

  private:
    static es_string converted(std::string_view text) noexcept { return string_of(text); }
    static es_string_pair converted(const manifest::pair &pair) noexcept { return {string_of(pair.first), string_of(pair.second)}; }
    template <typename Raw, typename View>
    static void fill(const Raw *&list, std::size_t &count, std::vector<Raw> &memory, const std::vector<View> &views) {
        memory.reserve(views.size());
        for (const View &view : views) memory.push_back(converted(view));
        list = memory.data();
        count = memory.size();
    }

    es_manifest raw_ = ES_MANIFEST_INIT;
    std::array<std::vector<es_string>, 3> texts_;
    std::array<std::vector<es_string_pair>, 4> pairs_;
};

/** The answer of a call that makes a handle. `call(out, err)`. */
template <typename Owner, typename Handle, typename Call> result<Owner> opened(Call call) {
    Handle *handle = nullptr;
    es_error err;
    const es_status status = call(&handle, &err);
    return answer(status, err, Owner(handle));
}

} // namespace detail

/** Creates a run below `base` and starts its writer. Errors: as es_open_run. [any thread] [blocks] */
inline result<run> open_run(std::string_view base, const manifest &about, const open_options &options = {}) {
    const detail::manifest_argument argument(about);
    return detail::opened<run, es_run>([&](es_run **out, es_error *err) {
        return es_open_run(base.data(), base.size(), argument.raw(), &options.raw(), out, err);
    });
}

/** Opens a sealed run's file. Errors: as es_open_sealed_run. [any thread] [blocks] */
inline result<reader> open_sealed_run(std::string_view path, const reader_options &options = {}) {
    return detail::opened<reader, es_reader>([&](es_reader **out, es_error *err) {
        return es_open_sealed_run(path.data(), path.size(), &options.raw(), out, err);
    });
}

/** Opens a run that another process may be writing, and follows it; of the log backend alone until it
 * is sealed. Errors: as es_open_live_run. [any thread] [blocks] */
inline result<reader> open_live_run(std::string_view path, const reader_options &options = {}) {
    return detail::opened<reader, es_reader>([&](es_reader **out, es_error *err) {
        return es_open_live_run(path.data(), path.size(), &options.raw(), out, err);
    });
}

/** Opens a run whose process died, for reading and reader::seal. Errors: as es_open_crashed_run.
 * [any thread] [blocks] */
inline result<reader> open_crashed_run(std::string_view base, std::string_view instance_id, std::string_view run_id,
                                       const reader_options &options = {}) {
    return detail::opened<reader, es_reader>([&](es_reader **out, es_error *err) {
        return es_open_crashed_run(base.data(), base.size(), instance_id.data(), instance_id.size(), run_id.data(), run_id.size(),
                                   &options.raw(), out, err);
    });
}

/* ---- operations over runs ---- */

/** Lists the runs of an instance. Errors: as es_list_runs. [any thread] [blocks] */
inline result<report> list_runs(std::string_view base, std::string_view instance_id) {
    return detail::opened<report, es_report>([&](es_report **out, es_error *err) {
        return es_list_runs(base.data(), base.size(), instance_id.data(), instance_id.size(), out, err);
    });
}

/** Sweeps an instance whose engine died. Errors: as es_recover. [any thread] [blocks] */
inline result<report> recover(std::string_view base, std::string_view instance_id, const operation_options &options = {}) {
    return detail::opened<report, es_report>([&](es_report **out, es_error *err) {
        return es_recover(base.data(), base.size(), instance_id.data(), instance_id.size(), &options.raw(), out, err);
    });
}

/** Reads a sealed run whole and reports what is wrong with it. Errors: as es_verify_run; damage is
 * none, it is a finding. [any thread] [blocks] */
inline result<report> verify_run(std::string_view path, const operation_options &options = {}) {
    return detail::opened<report, es_report>([&](es_report **out, es_error *err) {
        return es_verify_run(path.data(), path.size(), &options.raw(), out, err);
    });
}

/** Copies the good rows of a damaged run into a new one. Errors: as es_salvage_run.
 * [any thread] [blocks] */
inline result<report> salvage_run(std::string_view path, std::string_view base, std::string_view instance_id, std::string_view run_id,
                                  const operation_options &options = {}) {
    return detail::opened<report, es_report>([&](es_report **out, es_error *err) {
        return es_salvage_run(path.data(), path.size(), base.data(), base.size(), instance_id.data(), instance_id.size(), run_id.data(),
                              run_id.size(), &options.raw(), out, err);
    });
}

/** Copies a run, sealed or being written, to another base. Errors: as es_copy_run.
 * [any thread] [blocks] */
inline result<es_copy_result> copy_run(std::string_view path, std::string_view base) {
    es_copy_result copied = ES_COPY_RESULT_INIT;
    es_error err;
    const es_status status = es_copy_run(path.data(), path.size(), base.data(), base.size(), &copied, &err);
    return detail::answer(status, err, copied);
}

/** Which runs retention keeps. */
class keep {
  public:
    static constexpr keep all() noexcept { return {ES_KEEP_FULL, 0}; }
    static constexpr keep last(std::uint64_t count) noexcept { return {ES_KEEP_LAST, count}; }
    static constexpr keep anchored() noexcept { return {ES_KEEP_ANCHORED, 0}; }
    constexpr std::uint32_t kind() const noexcept { return kind_; }
    constexpr std::uint64_t count() const noexcept { return count_; }

  private:
    constexpr keep(std::uint32_t kind, std::uint64_t count) noexcept : kind_(kind), count_(count) {}
    std::uint32_t kind_;
    std::uint64_t count_;
};

/** Proposes which sealed runs may be deleted; deletes nothing. Errors: as es_plan_retention.
 * [any thread] [blocks] */
inline result<report> plan_retention(std::string_view base, std::string_view instance_id, keep kept) {
    return detail::opened<report, es_report>([&](es_report **out, es_error *err) {
        return es_plan_retention(base.data(), base.size(), instance_id.data(), instance_id.size(), kept.kind(), kept.count(), out, err);
    });
}

/** Deletes what a plan proposes, as far as it is still so. Errors: as es_apply_retention.
 * [any thread] [blocks] */
inline result<report> apply_retention(std::string_view base, std::string_view instance_id, const report &plan) {
    return detail::opened<report, es_report>([&](es_report **out, es_error *err) {
        return es_apply_retention(base.data(), base.size(), instance_id.data(), instance_id.size(), plan.raw(), out, err);
    });
}

/** The library's interface version, major << 16 | minor: compare with ES_ABI_VERSION. */
inline std::uint32_t abi_version() noexcept { return es_abi_version(); }
/** The library's version, such as "0.1.0". */
inline std::string_view version() noexcept { return es_version(); }

static_assert(!std::is_copy_constructible_v<run> && std::is_nothrow_move_constructible_v<run> && sizeof(run) == sizeof(void *), "a run is its handle");
static_assert(!std::is_copy_constructible_v<reader> && std::is_nothrow_move_assignable_v<reader> && sizeof(reader) == sizeof(void *), "a reader is its handle");
static_assert(!std::is_copy_assignable_v<report> && std::is_nothrow_move_assignable_v<report> && sizeof(report) == sizeof(void *), "a report is its handle");
static_assert(!std::is_move_constructible_v<scan_range>, "iterators point to their range");
static_assert(std::is_trivially_copyable_v<es_draft> && std::is_standard_layout_v<es_draft>, "drafts are packed by copying");
static_assert(sizeof(failure) == sizeof(es_error) && std::is_trivially_copyable_v<failure>, "a failure is its es_error");

} // inline namespace
} // namespace eventstore

#undef ES_HPP_THROWS_

#endif /* EVENTSTORE_HPP */
