// What the session needs of eventstore.h, for koffi: structs field by field, then the calls.
//
// Sequences, times and lengths are 64 bits wide: koffi takes a BigInt for them, and gives a number
// back while it is small enough to be exact. EVENTSTORE_LIBRARY names the library's file.
"use strict";
const koffi = require("koffi");

const NUL_TERMINATED = 0xffffffffffffffffn; // ES_NTS
const bytes = (count) => koffi.array("uint8_t", count, "Typed");
const words = (count) => koffi.array("uint64_t", count);
const text = koffi.struct({ data: "const char *", len: "size_t" });
koffi.struct("es_manifest", {
  struct_size: "uint32_t", schema_version: "uint32_t",
  run_id: text, parent_run_id: text, instance_id: text,
  binary_hash: text, crate_versions: text, config_hash: text,
  lists: words(14), // seven pointers, each with a count
  seed: "uint64_t", start_ts_init: "uint64_t", end_ts_init: "uint64_t", high_watermark: "uint64_t",
  status: "uint32_t", flags: "uint32_t", reserved: words(4),
});
koffi.struct("es_open_options", {
  struct_size: "uint32_t", abi_version: "uint32_t", flags: "uint32_t", backend: "uint32_t",
  durability: "uint32_t", wait_policy: "uint32_t", writer_cpu: "uint32_t", reserved0: "uint32_t",
  cache_bytes: "uint64_t", queue_entries: "uint64_t", queue_bytes: "uint64_t",
  group_entries: "uint64_t", group_bytes: "uint64_t", group_linger_ns: "uint64_t",
  halt_after_ns: "uint64_t", hot_ns: "uint64_t", on_halt: "void *", on_halt_context: "void *",
  digest_key: bytes(32), reserved1: words(4),
});
koffi.struct("es_submit_options", {
  struct_size: "uint32_t", flags: "uint32_t", expected_seq: "uint64_t", timeout_ns: "uint64_t",
  reserved: words(2),
});
koffi.struct("es_append_options", {
  struct_size: "uint32_t", flags: "uint32_t", expected_seq: "uint64_t", reserved: words(3),
});
koffi.struct("es_append_result", {
  struct_size: "uint32_t", reserved0: "uint32_t", first_seq: "uint64_t", count: "uint64_t",
  high_watermark: "uint64_t",
});
koffi.struct("es_close_result", {
  struct_size: "uint32_t", sealed: "uint32_t", status: "uint32_t", digest_present: "uint32_t",
  high_watermark: "uint64_t", digest: bytes(32), halt_status: "int32_t", halt_errno: "int32_t",
  reserved: words(2),
});
koffi.struct("es_index_key", {
  key: "const char *", key_len: "size_t", kind: "uint32_t", reserved: "uint32_t",
});
koffi.struct("es_draft", {
  topic: "const char *", topic_len: "size_t", payload_type: "const char *",
  payload_type_len: "size_t", payload: "const uint8_t *", payload_len: "size_t",
  keys: "const es_index_key *", key_count: "uint32_t", flags: "uint32_t", ts_init: "uint64_t",
  ts_publish: "uint64_t", correlation_id: bytes(16), causation_id: bytes(16),
});
koffi.struct("es_scan_request", {
  struct_size: "uint32_t", direction: "uint32_t", from: "uint64_t", to: "uint64_t",
  max_rows: "uint64_t", max_bytes: "uint64_t", reserved: words(2),
});
koffi.struct("es_scan_result", {
  struct_size: "uint32_t", more: "uint32_t", rows: "uint64_t", arena_used: "uint64_t",
  next_seq: "uint64_t", high_watermark: "uint64_t",
});
koffi.struct("es_entry", {
  seq: "uint64_t", ts_init: "uint64_t", ts_publish: "uint64_t", topic_offset: "uint64_t",
  payload_type_offset: "uint64_t", payload_offset: "uint64_t", keys_offset: "uint64_t",
  payload_len: "uint64_t", topic_len: "uint32_t", payload_type_len: "uint32_t",
  keys_len: "uint32_t", key_count: "uint32_t", flags: "uint32_t", reserved: "uint32_t",
  correlation_id: bytes(16), causation_id: bytes(16), entry_hash: bytes(32),
});
koffi.struct("es_anchor", {
  high_watermark: "uint64_t", blob_ref: text, content_hash: text,
});
koffi.struct("es_error", {
  code: "int32_t", os_errno: "int32_t", item_index: "uint64_t", seq: "uint64_t",
  next_seq: "uint64_t", prev_seq: "uint64_t", high_watermark: "uint64_t", count: "uint64_t",
  required: "uint64_t", format_found: "uint32_t", reserved: "uint32_t",
  message: koffi.array("char", 184, "String"),
});
koffi.opaque("es_run");
koffi.opaque("es_reader");

const library = koffi.load(process.env.EVENTSTORE_LIBRARY || "libeventstore.so.0");
const bind = (prototype) => library.func(prototype);
const es = {};
es.statusName = bind("const char *es_status_name(int32_t status)");
es.openRun = bind("int es_open_run(const char *base, size_t len, es_manifest *manifest, " +
  "es_open_options *options, _Out_ es_run **out, _Out_ es_error *err)");
es.submit = bind("int es_submit(es_run *run, const es_draft *draft, size_t size, " +
  "const es_submit_options *options, _Out_ uint64_t *seq, _Out_ es_error *err)");
es.appendBatch = bind("int es_append_batch(es_run *run, const es_draft *drafts, size_t stride, " +
  "size_t count, const es_append_options *options, _Inout_ es_append_result *out, " +
  "_Out_ es_error *err)");
es.waitDurable = bind(
  "int es_wait_durable(es_run *run, uint64_t seq, uint64_t timeout, _Out_ es_error *err)");
es.recordAnchor = bind("int es_record_anchor(es_run *run, uint64_t seq, const char *blob, " +
  "size_t blob_len, const char *hash, size_t hash_len, uint64_t timeout, _Out_ es_error *err)");
es.getRunPath = bind("int es_get_run_path(es_run *run, _Out_ uint8_t *path, size_t cap, " +
  "_Out_ size_t *needed, _Out_ es_error *err)");
es.closeRun = bind("int es_close_run(es_run *run, void *options, _Inout_ es_close_result *out, " +
  "_Out_ es_error *err)");
es.freeRun = bind("void es_free_run(es_run *run)");
es.openSealedRun = bind("int es_open_sealed_run(const char *path, size_t len, void *options, " +
  "_Out_ es_reader **out, _Out_ es_error *err)");
es.scanRange = bind("int es_scan_range(es_reader *reader, const es_scan_request *request, " +
  "_Out_ uint8_t *entries, size_t stride, size_t cap, _Out_ uint8_t *arena, size_t arena_cap, " +
  "_Inout_ es_scan_result *result, _Out_ es_error *err)");
es.lookup = bind("int es_lookup(es_reader *reader, uint32_t kind, const char *key, size_t len, " +
  "_Out_ uint64_t *seq, _Out_ es_error *err)");
es.getAnchor = bind("int es_get_anchor(es_reader *reader, _Out_ es_anchor *out, size_t size, " +
  "void *arena, size_t cap, _Out_ size_t *needed, _Out_ es_error *err)");
es.freeReader = bind("void es_free_reader(es_reader *reader)");

const err = {}; // es_error, filled by the call that fails

function must(status) {
  if (status !== 0) {
    throw new Error(`${es.statusName(status)}: ${err.message}`);
  }
}

// A struct as its es_init_* call sets it up.
function init(name) {
  const value = {};
  must(bind(`int es_init_${name}(_Out_ es_${name} *value, size_t size)`)(
    value, koffi.sizeof(`es_${name}`)));
  return value;
}

module.exports = { es, err, must, init, sizeof: koffi.sizeof, decode: koffi.decode, NUL_TERMINATED };
