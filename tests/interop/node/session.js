// The session of ../c/session.c in JavaScript: captured, sealed, read back and printed.
//
//     EVENTSTORE_LIBRARY=LIBDIR/libeventstore.so node session.js BASE
"use strict";
const { es, err, must, init, sizeof, decode, NUL_TERMINATED } = require("./eventstore.js");

const ORDERS = 150, BATCH_ORDERS = 25, PAGE_ENTRIES = 64, ARENA_BYTES = 64 * 1024;
const START_NS = 1740992400000000000n, PATIENCE_NS = 10000000000n;
const CLIENT_ORDER_ID = 0, VENUE_ORDER_ID = 1;
const HAS_CORRELATION_ID = 1, HAS_CAUSATION_ID = 2;

function id(kind, number) {
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => i);
  bytes[0] = kind;
  bytes[1] = number & 0xff;
  bytes[2] = number >> 8;
  return bytes;
}

// The two drafts of an order: that the venue accepted it, and that it was filled.
function makeDrafts(number) {
  const price = 10000 + (number * 37) % 101, quantity = 1 + (number % 7);
  const digits = String(number).padStart(4, "0");
  const client = `ZÜRICH-${digits}`;
  const accepted = Buffer.from(`{"order":"${client}","price":${price},"quantity":${quantity}}`);
  const filled = Buffer.alloc(24);
  [number, price, quantity].forEach((value, i) => filled.writeBigUInt64LE(BigInt(value), 8 * i));
  const key = (kind, key) => ({ kind, key, key_len: NUL_TERMINATED, reserved: 0 });
  const keys = [key(CLIENT_ORDER_ID, client), key(VENUE_ORDER_ID, `V-${digits}`)];
  const draft = (seq, topic, payload_type, payload, flags, causation_id) => {
    const ts_init = START_NS + BigInt(seq) * 1000n;
    return {
      topic, topic_len: NUL_TERMINATED, payload_type, payload_type_len: NUL_TERMINATED,
      payload, payload_len: payload.length, keys, key_count: keys.length, flags,
      ts_init, ts_publish: ts_init + 250n, correlation_id: id(1, number), causation_id,
    };
  };
  return [
    draft(2 * number - 1, "orders.SIM.ALFA", "OrderAccepted", accepted, HAS_CORRELATION_ID,
      new Uint8Array(16)),
    draft(2 * number, "fills.SIM.ALFA", "OrderFilled", filled,
      HAS_CORRELATION_ID | HAS_CAUSATION_ID, id(2, number)),
  ];
}

// Writes the session and gives the line about the call that was refused.
function capture(run) {
  const draftSize = sizeof("es_draft"), seq = [0];
  let number = 1;
  for (; number <= ORDERS - BATCH_ORDERS; number++) {
    for (const draft of makeDrafts(number)) {
      must(es.submit(run, draft, draftSize, null, seq, err));
    }
  }
  must(es.waitDurable(run, seq[0], PATIENCE_NS, err));

  const expecting = { ...init("submit_options"), expected_seq: 7 };
  const status = es.submit(run, makeDrafts(1)[0], draftSize, expecting, null, err);
  const refused = `refused ${es.statusName(status)} next ${err.next_seq}: ${err.message}`;

  const batch = [];
  for (; number <= ORDERS; number++) {
    batch.push(...makeDrafts(number));
  }
  const options = { ...init("append_options"), expected_seq: seq[0] + 1 };
  const appended = init("append_result");
  must(es.appendBatch(run, batch, draftSize, batch.length, options, appended, err));
  must(es.recordAnchor(run, appended.high_watermark, "snapshots/300.bin", NUL_TERMINATED, "none:300",
    NUL_TERMINATED, PATIENCE_NS, err));
  return refused;
}

// Captures into a new run below base, seals it, and gives its path and the refused line.
function write(base) {
  const manifest = init("manifest"), options = init("open_options"), closed = init("close_result");
  manifest.instance_id = { data: "INTEROP", len: NUL_TERMINATED };
  manifest.run_id = { data: "session", len: NUL_TERMINATED };
  manifest.start_ts_init = START_NS;
  options.halt_after_ns = PATIENCE_NS;
  const out = [null], needed = [0], path = Buffer.alloc(4096);
  must(es.openRun(base, NUL_TERMINATED, manifest, options, out, err));
  const run = out[0];
  try {
    const refused = capture(run);
    must(es.getRunPath(run, path, path.length, needed, err));
    must(es.closeRun(run, null, closed, err));
    must(closed.sealed === 1 ? 0 : closed.halt_status);
    return [path.toString("utf8", 0, needed[0] - 1), refused];
  } finally {
    es.freeRun(run);
  }
}

const fnv = (sum, bytes) => bytes.reduce(
  (sum, byte) => BigInt.asUintN(64, (sum ^ BigInt(byte)) * 0x100000001b3n), sum);

function printEntries(reader) {
  const request = init("scan_request"), page = init("scan_result");
  const stride = sizeof("es_entry");
  const entries = Buffer.alloc(PAGE_ENTRIES * stride), arena = Buffer.alloc(ARENA_BYTES);
  let hashes = 0xcbf29ce484222325n, contents = hashes, count = 0, first = 0, last = 0, pages = 0;
  do {
    must(es.scanRange(reader, request, entries, stride, PAGE_ENTRIES, arena, arena.length, page, err));
    for (let i = 0; i < page.rows; i++) {
      const entry = decode(entries, i * stride, "es_entry");
      const slice = (offset, length) => arena.subarray(offset, offset + length);
      first = first || entry.seq;
      last = entry.seq;
      count++;
      const topic = slice(entry.topic_offset, entry.topic_len);
      if (topic.toString().startsWith("run.lifecycle.")) {
        continue; // the store's RunEnded: its ts_publish is the clock's
      }
      hashes = fnv(hashes, entry.entry_hash);
      contents = fnv(contents, topic);
      contents = fnv(contents, slice(entry.payload_offset, entry.payload_len));
      contents = fnv(contents, slice(entry.keys_offset, entry.keys_len));
    }
    pages++;
    request.from = page.next_seq;
  } while (page.more);
  const hex = (sum) => sum.toString(16).padStart(16, "0");
  console.log(`entries ${count} first ${first} last ${last} pages ${pages}`);
  console.log(`hashes ${hex(hashes)}\ncontents ${hex(contents)}`);
}

const [path, refused] = write(process.argv[2]);
const opened = [null], client = [0], venue = [0], needed = [0], anchor = {};
must(es.openSealedRun(path, NUL_TERMINATED, null, opened, err));
const reader = opened[0];
printEntries(reader);
must(es.lookup(reader, CLIENT_ORDER_ID, "ZÜRICH-0077", NUL_TERMINATED, client, err));
must(es.lookup(reader, VENUE_ORDER_ID, "V-0150", NUL_TERMINATED, venue, err));
console.log(`lookup ZÜRICH-0077 ${client[0]} V-0150 ${venue[0]}`);
const texts = Buffer.alloc(256);
must(es.getAnchor(reader, anchor, sizeof("es_anchor"), texts, texts.length, needed, err));
console.log(`anchor ${anchor.high_watermark} ${anchor.blob_ref.data}`);
console.log(refused);
es.freeReader(reader);
