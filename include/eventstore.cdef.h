/* SPDX-License-Identifier: MIT OR Apache-2.0
 * Made from eventstore.h, for cffi's cdef; do not edit. */
#define ES_ABI_VERSION 1
#define ES_NTS 18446744073709551615
#define ES_POLL 1
#define ES_FOREVER 18446744073709551615
#define ES_NONE 18446744073709551615
#define ES_OPEN_MANUAL_WRITER 1
#define ES_OPEN_RUN_STARTED 2
#define ES_OPEN_PREFAULT 4
#define ES_OPEN_REQUIRE_UUID_V4 8
#define ES_OPEN_DIGEST_KEY 16
#define ES_OPEN_LOCK_MEMORY 32
#define ES_BACKEND_REDB 1
#define ES_BACKEND_MEMORY 2
#define ES_BACKEND_LOG 3
#define ES_DURABILITY_TWO_PHASE 1
#define ES_DURABILITY_ONE_PHASE 2
#define ES_WAIT_SPIN 1
#define ES_WAIT_TIMED 2
#define ES_WAIT_PARK 3
#define ES_RUN_RUNNING 0
#define ES_RUN_ENDED 1
#define ES_RUN_CRASHED_RECOVERED 2
#define ES_RUN_QUARANTINED 3
#define ES_MANIFEST_HAS_SEED 1
#define ES_MANIFEST_HAS_END 2
#define ES_DRAFT_HAS_CORRELATION_ID 1
#define ES_DRAFT_HAS_CAUSATION_ID 2
#define ES_ENTRY_HAS_CORRELATION_ID 1
#define ES_ENTRY_HAS_CAUSATION_ID 2
#define ES_ENTRY_KEYS_RECORDED 4
#define ES_INDEX_CLIENT_ORDER_ID 0
#define ES_INDEX_VENUE_ORDER_ID 1
#define ES_FORWARD 0
#define ES_BACKWARD 1
#define ES_READ_CHECK 1
#define ES_READ_DIGEST_KEY 2
#define ES_TAIL_SEALED 1
#define ES_TAIL_WRITER_GONE 2
#define ES_PHASE_OPEN 0
#define ES_PHASE_CLOSING 1
#define ES_PHASE_CLOSED 2
#define ES_PHASE_HALTED 3
#define ES_OPERATION_DRY_RUN 1
#define ES_OPERATION_DIGEST_KEY 2
#define ES_OPERATION_EXPECTED_DIGEST 4
#define ES_KEEP_FULL 1
#define ES_KEEP_LAST 2
#define ES_KEEP_ANCHORED 3
#define ES_REPORT_HAS_STATUS 1
#define ES_REPORT_HAS_HIGH_WATERMARK 2
#define ES_REPORT_CLEAN 4
#define ES_DIGEST_MATCHES 1
#define ES_DIGEST_DIFFERS 2
#define ES_DIGEST_ABSENT 3
#define ES_DIGEST_NOT_CHECKED 4
#define ES_OUTCOME_LISTED 0
#define ES_OUTCOME_SEALED 1
#define ES_OUTCOME_REPAIRED 2
#define ES_OUTCOME_DAMAGED 3
#define ES_OUTCOME_HELD 4
#define ES_OUTCOME_MOVED_ASIDE 5
#define ES_OUTCOME_UNREADABLE 6
#define ES_OUTCOME_POSTPONED 7
#define ES_OUTCOME_KEPT 8
#define ES_OUTCOME_TO_DELETE 9
#define ES_OUTCOME_DELETED 10
#define ES_OUTCOME_SKIPPED 11
#define ES_ROW_HAS_MANIFEST 1
#define ES_ROW_HAS_END 2
#define ES_ROW_NEEDS_REPAIR 4
#define ES_FINDING_HASH_MISMATCH 1
#define ES_FINDING_SEQ_MISMATCH 2
#define ES_FINDING_UNDECODABLE 3
#define ES_FINDING_GAP 4
#define ES_FINDING_INDEX_DRIFT 5
#define ES_FINDING_MANIFEST_MISMATCH 6
#define ES_FINDING_ANCHOR_INVALID 7
#define ES_FINDING_DIGEST_MISMATCH 8
#define ES_FINDING_DAMAGED 9
#define ES_DRIFT_NONE 0
#define ES_DRIFT_DANGLING 1
#define ES_DRIFT_CORRUPTED 2
#define ES_DRIFT_WRONG 3
#define ES_DRIFT_MISSING 4
#define ES_ID_BYTES_MAX 128
#define ES_TOPIC_BYTES_MAX 1024
#define ES_PAYLOAD_TYPE_BYTES_MAX 1024
#define ES_INDEX_KEY_BYTES_MAX 512
#define ES_INDEX_KEYS_MAX 16
#define ES_PAYLOAD_BYTES_MAX 67108864
#define ES_BATCH_ENTRIES_MAX 65536
#define ES_BATCH_BYTES_MAX 268435456
#define ES_OK 0
#define ES_ERR_NULL_POINTER -1
#define ES_ERR_INVALID_ARGUMENT -2
#define ES_ERR_STRUCT_SIZE -3
#define ES_ERR_UNSUPPORTED_FIELD -4
#define ES_ERR_BAD_HANDLE -5
#define ES_ERR_BUFFER_TOO_SMALL -6
#define ES_ERR_ABI_MISMATCH -7
#define ES_ERR_USED_AFTER_FORK -8
#define ES_ERR_INVALID_UTF8 -9
#define ES_ERR_UNSUPPORTED -10
#define ES_ERR_BUSY -11
#define ES_ERR_QUEUE_FULL -100
#define ES_ERR_TIMEOUT -101
#define ES_ERR_LOCKED -102
#define ES_ERR_CLOSED -103
#define ES_ERR_OUT_OF_ORDER -104
#define ES_ERR_ALREADY_EXISTS -105
#define ES_ERR_NOT_FOUND -106
#define ES_ERR_NOT_SEALED -107
#define ES_ERR_CRASHED_PREDECESSOR -108
#define ES_ERR_CORRUPTED -200
#define ES_ERR_HASH_MISMATCH -201
#define ES_ERR_SEQ_MISMATCH -202
#define ES_ERR_GAP -203
#define ES_ERR_UNSUPPORTED_FORMAT -204
#define ES_ERR_DISK -300
#define ES_ERR_BACKEND -301
#define ES_ERR_OUT_OF_MEMORY -302
#define ES_ERR_HALTED -400
#define ES_ERR_PANIC -401
typedef struct es_reader es_reader;
typedef struct es_report es_report;
typedef struct es_run es_run;
typedef int32_t es_status;
typedef struct es_string {
    const char *data;
    size_t len;
} es_string;
typedef struct es_string_pair {
    struct es_string key;
    struct es_string value;
} es_string_pair;
typedef struct es_manifest {
    uint32_t struct_size;
    uint32_t schema_version;
    struct es_string run_id;
    struct es_string parent_run_id;
    struct es_string instance_id;
    struct es_string binary_hash;
    struct es_string crate_versions;
    struct es_string config_hash;
    const struct es_string *feature_flags;
    size_t feature_flag_count;
    const struct es_string_pair *adapter_versions;
    size_t adapter_version_count;
    const struct es_string_pair *actors;
    size_t actor_count;
    const struct es_string_pair *strategies;
    size_t strategy_count;
    const struct es_string_pair *algorithms;
    size_t algorithm_count;
    const struct es_string *subscriptions;
    size_t subscription_count;
    const struct es_string *endpoints;
    size_t endpoint_count;
    uint64_t seed;
    uint64_t start_ts_init;
    uint64_t end_ts_init;
    uint64_t high_watermark;
    uint32_t status;
    uint32_t flags;
    uint64_t reserved[4];
} es_manifest;
typedef struct es_error {
    es_status code;
    int32_t os_errno;
    uint64_t item_index;
    uint64_t seq;
    uint64_t next_seq;
    uint64_t prev_seq;
    uint64_t high_watermark;
    uint64_t count;
    uint64_t required;
    uint32_t format_found;
    uint32_t reserved;
    char message[184];
} es_error;
typedef void (*es_halt_fn)(void *context,
                           es_status status,
                           int32_t os_errno);
typedef struct es_open_options {
    uint32_t struct_size;
    uint32_t abi_version;
    uint32_t flags;
    uint32_t backend;
    uint32_t durability;
    uint32_t wait_policy;
    uint32_t writer_cpu;
    uint32_t reserved0;
    uint64_t cache_bytes;
    uint64_t queue_entries;
    uint64_t queue_bytes;
    uint64_t group_entries;
    uint64_t group_bytes;
    uint64_t group_linger_ns;
    uint64_t halt_after_ns;
    uint64_t hot_ns;
    es_halt_fn on_halt;
    void *on_halt_context;
    uint8_t digest_key[32];
    uint64_t reserved1[4];
} es_open_options;
typedef struct es_reader_options {
    uint32_t struct_size;
    uint32_t abi_version;
    uint32_t flags;
    uint32_t reserved0;
    uint64_t cache_bytes;
    uint8_t digest_key[32];
    uint64_t reserved[4];
} es_reader_options;
typedef struct es_submit_options {
    uint32_t struct_size;
    uint32_t flags;
    uint64_t expected_seq;
    uint64_t timeout_ns;
    uint64_t reserved[2];
} es_submit_options;
typedef struct es_append_options {
    uint32_t struct_size;
    uint32_t flags;
    uint64_t expected_seq;
    uint64_t reserved[3];
} es_append_options;
typedef struct es_append_result {
    uint32_t struct_size;
    uint32_t reserved0;
    uint64_t first_seq;
    uint64_t count;
    uint64_t high_watermark;
} es_append_result;
typedef struct es_index_key {
    const char *key;
    size_t key_len;
    uint32_t kind;
    uint32_t reserved;
} es_index_key;
typedef struct es_draft {
    const char *topic;
    size_t topic_len;
    const char *payload_type;
    size_t payload_type_len;
    const void *payload;
    size_t payload_len;
    const struct es_index_key *keys;
    uint32_t key_count;
    uint32_t flags;
    uint64_t ts_init;
    uint64_t ts_publish;
    uint8_t correlation_id[16];
    uint8_t causation_id[16];
} es_draft;
typedef struct es_packed_draft {
    uint64_t ts_init;
    uint64_t ts_publish;
    uint64_t topic_offset;
    uint64_t payload_type_offset;
    uint64_t payload_offset;
    uint64_t keys_offset;
    uint64_t payload_len;
    uint32_t topic_len;
    uint32_t payload_type_len;
    uint32_t keys_len;
    uint32_t key_count;
    uint32_t flags;
    uint32_t reserved;
    uint8_t correlation_id[16];
    uint8_t causation_id[16];
} es_packed_draft;
typedef struct es_close_options {
    uint32_t struct_size;
    uint32_t flags;
    uint64_t timeout_ns;
    uint64_t end_ts_init;
    uint64_t end_ts_publish;
    uint64_t reserved[1];
} es_close_options;
typedef struct es_close_result {
    uint32_t struct_size;
    uint32_t sealed;
    uint32_t status;
    uint32_t digest_present;
    uint64_t high_watermark;
    uint8_t digest[32];
    int32_t halt_status;
    int32_t halt_errno;
    uint64_t reserved[2];
} es_close_result;
typedef struct es_run_state {
    uint64_t high_watermark;
    uint64_t last_claimed_seq;
    uint64_t queue_entries;
    uint64_t queue_bytes;
    int32_t halt_status;
    int32_t halt_errno;
    uint32_t phase;
    uint32_t reserved;
} es_run_state;
typedef struct es_run_stats {
    uint64_t commits;
    uint64_t entries;
    uint64_t bytes;
    uint64_t last_flush_ns;
    uint64_t longest_flush_ns;
    uint64_t free_bytes;
    uint64_t pooled_buffers;
    uint64_t reserved;
} es_run_stats;
typedef struct es_scan_request {
    uint32_t struct_size;
    uint32_t direction;
    uint64_t from;
    uint64_t to;
    uint64_t max_rows;
    uint64_t max_bytes;
    uint64_t reserved[2];
} es_scan_request;
typedef struct es_scan_result {
    uint32_t struct_size;
    uint32_t more;
    uint64_t rows;
    uint64_t arena_used;
    uint64_t next_seq;
    uint64_t high_watermark;
} es_scan_result;
typedef struct es_entry {
    uint64_t seq;
    uint64_t ts_init;
    uint64_t ts_publish;
    uint64_t topic_offset;
    uint64_t payload_type_offset;
    uint64_t payload_offset;
    uint64_t keys_offset;
    uint64_t payload_len;
    uint32_t topic_len;
    uint32_t payload_type_len;
    uint32_t keys_len;
    uint32_t key_count;
    uint32_t flags;
    uint32_t reserved;
    uint8_t correlation_id[16];
    uint8_t causation_id[16];
    uint8_t entry_hash[32];
} es_entry;
typedef struct es_tail_result {
    uint32_t struct_size;
    uint32_t flags;
    uint32_t status;
    uint32_t reserved0;
    uint64_t high_watermark;
    uint64_t reserved[2];
} es_tail_result;
typedef struct es_index_request {
    uint32_t struct_size;
    uint32_t kind;
    const char *after;
    size_t after_len;
    uint64_t max_rows;
    uint64_t reserved[2];
} es_index_request;
typedef struct es_index_result {
    uint32_t struct_size;
    uint32_t more;
    uint64_t rows;
    uint64_t arena_used;
} es_index_result;
typedef struct es_index_row {
    uint64_t seq;
    uint64_t key_offset;
    uint32_t key_len;
    uint32_t reserved;
} es_index_row;
typedef struct es_restore_plan {
    uint32_t struct_size;
    uint32_t has_anchor;
    uint64_t anchor_seq;
    uint64_t replay_from;
    uint64_t replay_to;
} es_restore_plan;
typedef struct es_anchor {
    uint64_t high_watermark;
    struct es_string blob_ref;
    struct es_string content_hash;
} es_anchor;
typedef struct es_report_summary {
    uint32_t struct_size;
    uint32_t status;
    uint32_t digest;
    uint32_t flags;
    uint64_t rows;
    uint64_t findings;
    uint64_t high_watermark;
    uint64_t entries;
    uint64_t lifecycle;
    char run_id[136];
    char parent_run_id[136];
    char reason[256];
    uint64_t reserved[2];
} es_report_summary;
typedef struct es_page_result {
    uint32_t struct_size;
    uint32_t more;
    uint64_t rows;
    uint64_t arena_used;
} es_page_result;
typedef struct es_run_row {
    uint64_t run_id_offset;
    uint64_t path_offset;
    uint64_t parent_offset;
    uint64_t reason_offset;
    uint32_t run_id_len;
    uint32_t path_len;
    uint32_t parent_len;
    uint32_t reason_len;
    uint64_t bytes;
    uint64_t high_watermark;
    uint64_t start_ts_init;
    uint64_t end_ts_init;
    uint32_t outcome;
    uint32_t status;
    uint32_t backend;
    uint32_t flags;
} es_run_row;
typedef struct es_finding {
    uint32_t kind;
    uint32_t drift;
    uint32_t index_kind;
    uint32_t key_len;
    uint64_t seq;
    uint64_t other_seq;
    uint64_t key_offset;
    uint64_t text_offset;
    uint32_t text_len;
    uint32_t reserved;
} es_finding;
typedef struct es_operation_options {
    uint32_t struct_size;
    uint32_t abi_version;
    uint32_t flags;
    uint32_t threads;
    uint64_t cache_bytes;
    uint8_t digest_key[32];
    uint8_t expected_digest[32];
    uint64_t reserved[4];
} es_operation_options;
typedef struct es_copy_result {
    uint32_t struct_size;
    uint32_t sealed;
    uint32_t status;
    uint32_t reserved0;
    uint64_t high_watermark;
    uint64_t bytes;
    uint64_t reserved[2];
} es_copy_result;
const char *es_status_name(es_status status);
const char *es_status_message(es_status status);
int32_t es_status_is_retryable(es_status status);
int32_t es_status_is_fatal(es_status status);
uint32_t es_abi_version(void);
const char *es_version(void);
es_status es_init_manifest(struct es_manifest *manifest,
                           size_t size);
es_status es_get_manifest(struct es_reader *reader,
                          struct es_manifest *out,
                          void *arena,
                          size_t arena_cap,
                          size_t *needed,
                          struct es_error *err);
es_status es_init_open_options(struct es_open_options *options,
                               size_t size);
es_status es_init_reader_options(struct es_reader_options *options,
                                 size_t size);
es_status es_open_run(const char *base,
                      size_t base_len,
                      const struct es_manifest *manifest,
                      const struct es_open_options *options,
                      struct es_run **out,
                      struct es_error *err);
es_status es_open_sealed_run(const char *path,
                             size_t path_len,
                             const struct es_reader_options *options,
                             struct es_reader **out,
                             struct es_error *err);
es_status es_open_live_run(const char *path,
                           size_t path_len,
                           const struct es_reader_options *options,
                           struct es_reader **out,
                           struct es_error *err);
es_status es_open_crashed_run(const char *base,
                              size_t base_len,
                              const char *instance_id,
                              size_t instance_id_len,
                              const char *run_id,
                              size_t run_id_len,
                              const struct es_reader_options *options,
                              struct es_reader **out,
                              struct es_error *err);
es_status es_open_reader(struct es_run *run,
                         struct es_reader **out,
                         struct es_error *err);
es_status es_init_submit_options(struct es_submit_options *options,
                                 size_t size);
es_status es_init_append_options(struct es_append_options *options,
                                 size_t size);
es_status es_init_append_result(struct es_append_result *result,
                                size_t size);
es_status es_submit(struct es_run *run,
                    const struct es_draft *draft,
                    size_t draft_size,
                    const struct es_submit_options *options,
                    uint64_t *seq,
                    struct es_error *err);
es_status es_submit_batch(struct es_run *run,
                          const struct es_draft *drafts,
                          size_t stride,
                          size_t count,
                          const struct es_submit_options *options,
                          uint64_t *first_seq,
                          struct es_error *err);
es_status es_append_batch(struct es_run *run,
                          const struct es_draft *drafts,
                          size_t stride,
                          size_t count,
                          const struct es_append_options *options,
                          struct es_append_result *out,
                          struct es_error *err);
es_status es_wait_durable(struct es_run *run,
                          uint64_t seq,
                          uint64_t timeout_ns,
                          struct es_error *err);
es_status es_flush(struct es_run *run,
                   uint64_t timeout_ns,
                   struct es_error *err);
es_status es_do_work(struct es_run *run,
                     uint64_t *entries_committed,
                     struct es_error *err);
es_status es_submit_packed(struct es_run *run,
                           const struct es_packed_draft *drafts,
                           size_t stride,
                           size_t count,
                           const void *arena,
                           size_t arena_len,
                           const struct es_submit_options *options,
                           uint64_t *first_seq,
                           struct es_error *err);
es_status es_init_close_options(struct es_close_options *options,
                                size_t size);
es_status es_init_close_result(struct es_close_result *result,
                               size_t size);
es_status es_close_run(struct es_run *run,
                       const struct es_close_options *options,
                       struct es_close_result *out,
                       struct es_error *err);
es_status es_seal_run(struct es_reader *reader,
                      uint32_t status,
                      struct es_close_result *out,
                      struct es_error *err);
void es_free_run(struct es_run *run);
void es_free_reader(struct es_reader *reader);
es_status es_get_run_state(struct es_run *run,
                           struct es_run_state *out,
                           size_t out_size,
                           struct es_error *err);
es_status es_get_run_stats(struct es_run *run,
                           struct es_run_stats *out,
                           size_t out_size,
                           struct es_error *err);
es_status es_get_run_path(struct es_run *run,
                          char *path,
                          size_t cap,
                          size_t *needed,
                          struct es_error *err);
es_status es_open_durable_fd(struct es_run *run,
                             int32_t *fd,
                             struct es_error *err);
es_status es_init_scan_request(struct es_scan_request *request,
                               size_t size);
es_status es_init_scan_result(struct es_scan_result *result,
                              size_t size);
es_status es_scan_range(struct es_reader *reader,
                        const struct es_scan_request *request,
                        struct es_entry *entries,
                        size_t stride,
                        size_t entry_cap,
                        void *arena,
                        size_t arena_cap,
                        struct es_scan_result *result,
                        struct es_error *err);
es_status es_get_entry(struct es_reader *reader,
                       uint64_t seq,
                       struct es_entry *entry,
                       size_t entry_size,
                       void *arena,
                       size_t arena_cap,
                       size_t *needed,
                       struct es_error *err);
es_status es_init_tail_result(struct es_tail_result *result,
                              size_t size);
es_status es_wait_tail(struct es_reader *reader,
                       uint64_t seq,
                       uint64_t timeout_ns,
                       struct es_tail_result *out,
                       struct es_error *err);
es_status es_init_index_request(struct es_index_request *request,
                                size_t size);
es_status es_init_index_result(struct es_index_result *result,
                               size_t size);
es_status es_lookup(struct es_reader *reader,
                    uint32_t kind,
                    const char *key,
                    size_t key_len,
                    uint64_t *seq,
                    struct es_error *err);
es_status es_scan_index(struct es_reader *reader,
                        const struct es_index_request *request,
                        struct es_index_row *rows,
                        size_t stride,
                        size_t row_cap,
                        void *arena,
                        size_t arena_cap,
                        struct es_index_result *result,
                        struct es_error *err);
es_status es_find_first_seq(struct es_reader *reader,
                            uint64_t ts_init,
                            uint64_t *seq,
                            struct es_error *err);
es_status es_init_restore_plan(struct es_restore_plan *plan,
                               size_t size);
es_status es_record_anchor(struct es_run *run,
                           uint64_t seq,
                           const char *blob_ref,
                           size_t blob_ref_len,
                           const char *content_hash,
                           size_t content_hash_len,
                           uint64_t timeout_ns,
                           struct es_error *err);
es_status es_get_anchor(struct es_reader *reader,
                        struct es_anchor *out,
                        size_t out_size,
                        void *arena,
                        size_t arena_cap,
                        size_t *needed,
                        struct es_error *err);
es_status es_get_restore_plan(struct es_reader *reader,
                              struct es_restore_plan *out,
                              struct es_error *err);
es_status es_get_high_watermark(struct es_reader *reader,
                                uint64_t *seq,
                                struct es_error *err);
es_status es_get_digest(struct es_reader *reader,
                        uint8_t *digest,
                        size_t cap,
                        uint32_t *keyed,
                        struct es_error *err);
es_status es_get_reader_path(struct es_reader *reader,
                             char *path,
                             size_t cap,
                             size_t *needed,
                             struct es_error *err);
es_status es_init_report_summary(struct es_report_summary *summary,
                                 size_t size);
es_status es_init_page_result(struct es_page_result *result,
                              size_t size);
es_status es_get_report_summary(struct es_report *report,
                                struct es_report_summary *out,
                                struct es_error *err);
es_status es_read_run_rows(struct es_report *report,
                           uint64_t from,
                           struct es_run_row *rows,
                           size_t stride,
                           size_t row_cap,
                           void *arena,
                           size_t arena_cap,
                           struct es_page_result *result,
                           struct es_error *err);
es_status es_read_findings(struct es_report *report,
                           uint64_t from,
                           struct es_finding *rows,
                           size_t stride,
                           size_t row_cap,
                           void *arena,
                           size_t arena_cap,
                           struct es_page_result *result,
                           struct es_error *err);
void es_free_report(struct es_report *report);
es_status es_init_operation_options(struct es_operation_options *options,
                                    size_t size);
es_status es_list_runs(const char *base,
                       size_t base_len,
                       const char *instance_id,
                       size_t instance_id_len,
                       struct es_report **out,
                       struct es_error *err);
es_status es_recover(const char *base,
                     size_t base_len,
                     const char *instance_id,
                     size_t instance_id_len,
                     const struct es_operation_options *options,
                     struct es_report **out,
                     struct es_error *err);
es_status es_verify_run(const char *path,
                        size_t path_len,
                        const struct es_operation_options *options,
                        struct es_report **out,
                        struct es_error *err);
es_status es_salvage_run(const char *path,
                         size_t path_len,
                         const char *base,
                         size_t base_len,
                         const char *instance_id,
                         size_t instance_id_len,
                         const char *run_id,
                         size_t run_id_len,
                         const struct es_operation_options *options,
                         struct es_report **out,
                         struct es_error *err);
es_status es_plan_retention(const char *base,
                            size_t base_len,
                            const char *instance_id,
                            size_t instance_id_len,
                            uint32_t keep,
                            uint64_t keep_count,
                            struct es_report **out,
                            struct es_error *err);
es_status es_apply_retention(const char *base,
                             size_t base_len,
                             const char *instance_id,
                             size_t instance_id_len,
                             struct es_report *plan,
                             struct es_report **out,
                             struct es_error *err);
es_status es_init_copy_result(struct es_copy_result *result,
                              size_t size);
es_status es_copy_run(const char *path,
                      size_t path_len,
                      const char *base,
                      size_t base_len,
                      struct es_copy_result *out,
                      struct es_error *err);
