// The session of ../c/session.c in Java, through JNA: captured, sealed, read back and printed.
//
//     java -cp jna.jar:. -Djna.library.path=LIBDIR Session BASE
//
// What a draft points to lies in memory outside the heap, which must live until the call returns.

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

final class Session {
    static final int ORDERS = 150, BATCH_ORDERS = 25, PAGE_ENTRIES = 64, ARENA_BYTES = 64 * 1024;
    static final long START_NS = 1740992400000000000L, PATIENCE_NS = 10_000_000_000L;
    static final long FNV_OFFSET = 0xcbf29ce484222325L, FNV_PRIME = 0x100000001b3L;

    static final EventStore STORE = Native.load("eventstore", EventStore.class);
    static final EventStore.Failure ERR = new EventStore.Failure();
    static final LongByReference SEQ = new LongByReference(), NEEDED = new LongByReference();

    static void must(int status) {
        if (status != EventStore.OK) {
            throw new IllegalStateException(
                STORE.es_status_name(status) + ": " + Native.toString(ERR.message, "UTF-8"));
        }
    }

    /** Memory of C's that the drafts of one call point into. */
    static final class Scratch {
        final Memory block = new Memory(ARENA_BYTES);
        long used;

        Pointer put(byte[] bytes) {
            used = (used + 7) & ~7L;
            block.write(used, bytes, 0, bytes.length); // out of bounds throws
            Pointer at = block.share(used);
            used += bytes.length;
            return at;
        }
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static void setText(Scratch scratch, EventStore.Text text, String value) {
        byte[] bytes = utf8(value);
        text.data = scratch.put(bytes);
        text.len = bytes.length;
    }

    static byte[] id(int kind, long number) {
        byte[] id = new byte[16];
        for (int i = 0; i < id.length; i++) {
            id[i] = (byte) i;
        }
        id[0] = (byte) kind;
        id[1] = (byte) number;
        id[2] = (byte) (number >> 8);
        return id;
    }

    static void fill(Scratch scratch, EventStore.Draft draft, String topic, String type, byte[] payload) {
        draft.topic = scratch.put(utf8(topic));
        draft.topicLen = topic.length();
        draft.payloadType = scratch.put(utf8(type));
        draft.payloadTypeLen = type.length();
        draft.payload = scratch.put(payload);
        draft.payloadLen = payload.length;
    }

    /** The two drafts of an order: that the venue accepted it, and that it was filled. */
    static void makeDrafts(Scratch scratch, long number, EventStore.Draft accepted, EventStore.Draft filled) {
        long price = 10000 + number * 37 % 101, quantity = 1 + number % 7;
        String[] ids = {String.format("ZÜRICH-%04d", number), String.format("V-%04d", number)};
        EventStore.IndexKey[] keys = (EventStore.IndexKey[]) new EventStore.IndexKey().toArray(2);
        byte[] stored = new byte[2 * keys[0].size()];
        for (int kind = 0; kind < 2; kind++) { // CLIENT_ORDER_ID, VENUE_ORDER_ID
            byte[] bytes = utf8(ids[kind]);
            keys[kind].key = scratch.put(bytes);
            keys[kind].keyLen = bytes.length;
            keys[kind].kind = kind;
            keys[kind].write();
        }
        keys[0].getPointer().read(0, stored, 0, stored.length);
        fill(scratch, accepted, "orders.SIM.ALFA", "OrderAccepted", utf8(String.format(
            "{\"order\":\"%s\",\"price\":%d,\"quantity\":%d}", ids[0], price, quantity)));
        fill(scratch, filled, "fills.SIM.ALFA", "OrderFilled", ByteBuffer.allocate(24)
            .order(ByteOrder.LITTLE_ENDIAN).putLong(number).putLong(price).putLong(quantity).array());
        accepted.flags = EventStore.DRAFT_HAS_CORRELATION_ID;
        filled.flags = EventStore.DRAFT_HAS_CORRELATION_ID | EventStore.DRAFT_HAS_CAUSATION_ID;
        filled.causationId = id(2, number);
        accepted.tsInit = START_NS + (2 * number - 1) * 1000;
        filled.tsInit = START_NS + 2 * number * 1000;
        Pointer keysAt = scratch.put(stored);
        for (EventStore.Draft draft : new EventStore.Draft[] {accepted, filled}) {
            draft.keys = keysAt;
            draft.keyCount = 2;
            draft.correlationId = id(1, number);
            draft.tsPublish = draft.tsInit + 250;
        }
    }

    /** Writes the session and gives the line about the call that was refused. */
    static String capture(Pointer run) {
        Scratch scratch = new Scratch();
        EventStore.Draft[] drafts =
            (EventStore.Draft[]) new EventStore.Draft().toArray(2 * BATCH_ORDERS);
        long draftSize = drafts[0].size(), number = 1;
        for (; number <= ORDERS - BATCH_ORDERS; number++) {
            scratch.used = 0;
            makeDrafts(scratch, number, drafts[0], drafts[1]);
            must(STORE.es_submit(run, drafts[0], draftSize, null, SEQ, ERR));
            must(STORE.es_submit(run, drafts[1], draftSize, null, SEQ, ERR));
        }
        must(STORE.es_wait_durable(run, SEQ.getValue(), PATIENCE_NS, ERR));

        EventStore.ExpectingOptions expecting = new EventStore.ExpectingOptions();
        must(STORE.es_init_submit_options(expecting, expecting.size()));
        expecting.expectedSeq = 7;
        int status = STORE.es_submit(run, drafts[0], draftSize, expecting, null, ERR);
        String refused = String.format("refused %s next %d: %s", STORE.es_status_name(status),
            ERR.nextSeq, Native.toString(ERR.message, "UTF-8"));

        scratch.used = 0;
        for (int i = 0; i < BATCH_ORDERS; i++) {
            makeDrafts(scratch, number + i, drafts[2 * i], drafts[2 * i + 1]);
        }
        EventStore.ExpectingOptions options = new EventStore.ExpectingOptions();
        EventStore.AppendResult appended = new EventStore.AppendResult();
        must(STORE.es_init_append_options(options, options.size()));
        must(STORE.es_init_append_result(appended, appended.size()));
        options.expectedSeq = SEQ.getValue() + 1;
        must(STORE.es_append_batch(run, drafts, draftSize, drafts.length, options, appended, ERR));
        byte[] blob = utf8("snapshots/300.bin"), hash = utf8("none:300");
        must(STORE.es_record_anchor(run, appended.highWatermark, blob, blob.length, hash, hash.length,
            PATIENCE_NS, ERR));
        return refused;
    }

    /** Captures into a new run below base, seals it, and gives its path and the refused line. */
    static String[] write(byte[] base) {
        Scratch scratch = new Scratch();
        EventStore.Manifest manifest = new EventStore.Manifest();
        EventStore.OpenOptions options = new EventStore.OpenOptions();
        EventStore.CloseResult closed = new EventStore.CloseResult();
        must(STORE.es_init_manifest(manifest, manifest.size()));
        must(STORE.es_init_open_options(options, options.size()));
        must(STORE.es_init_close_result(closed, closed.size()));
        setText(scratch, manifest.instanceId, "INTEROP");
        setText(scratch, manifest.runId, "session");
        manifest.startTsInit = START_NS;
        options.haltAfterNs = PATIENCE_NS;
        PointerByReference out = new PointerByReference();
        must(STORE.es_open_run(base, base.length, manifest, options, out, ERR));
        Pointer run = out.getValue();
        try {
            String refused = capture(run);
            byte[] path = new byte[4096];
            must(STORE.es_get_run_path(run, path, path.length, NEEDED, ERR));
            must(STORE.es_close_run(run, null, closed, ERR));
            must(closed.sealed == 1 ? EventStore.OK : closed.haltStatus);
            return new String[] {Native.toString(path, "UTF-8"), refused};
        } finally {
            STORE.es_free_run(run);
        }
    }

    static long fnv(long sum, byte[] bytes, long at, long count) {
        for (long i = at; i < at + count; i++) {
            sum = (sum ^ (bytes[(int) i] & 0xff)) * FNV_PRIME;
        }
        return sum;
    }

    static void printEntries(Pointer reader, PrintStream out) {
        EventStore.ScanRequest request = new EventStore.ScanRequest();
        EventStore.ScanResult page = new EventStore.ScanResult();
        EventStore.Entry[] entries = (EventStore.Entry[]) new EventStore.Entry().toArray(PAGE_ENTRIES);
        byte[] arena = new byte[ARENA_BYTES];
        must(STORE.es_init_scan_request(request, request.size()));
        must(STORE.es_init_scan_result(page, page.size()));
        long hashes = FNV_OFFSET, contents = FNV_OFFSET, count = 0, first = 0, last = 0, pages = 0;
        do {
            must(STORE.es_scan_range(reader, request, entries, entries[0].size(), entries.length,
                arena, arena.length, page, ERR));
            for (int i = 0; i < page.rows; i++) {
                EventStore.Entry entry = entries[i];
                first = first == 0 ? entry.seq : first;
                last = entry.seq;
                count++;
                if (new String(arena, (int) entry.topicOffset, entry.topicLen, StandardCharsets.UTF_8)
                    .startsWith("run.lifecycle.")) {
                    continue; // the store's RunEnded: its ts_publish is the clock's
                }
                hashes = fnv(hashes, entry.entryHash, 0, entry.entryHash.length);
                contents = fnv(contents, arena, entry.topicOffset, entry.topicLen);
                contents = fnv(contents, arena, entry.payloadOffset, entry.payloadLen);
                contents = fnv(contents, arena, entry.keysOffset, entry.keysLen);
            }
            pages++;
            request.from = page.nextSeq;
        } while (page.more != 0);
        out.printf("entries %d first %d last %d pages %d%n", count, first, last, pages);
        out.printf("hashes %016x%ncontents %016x%n", hashes, contents);
    }

    public static void main(String[] arguments) throws Exception {
        Locale.setDefault(Locale.ROOT); // the digits of printf
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        String[] written = write(utf8(arguments[0]));
        byte[] path = utf8(written[0]), clientKey = utf8("ZÜRICH-0077"), venueKey = utf8("V-0150");
        PointerByReference opened = new PointerByReference();
        must(STORE.es_open_sealed_run(path, path.length, null, opened, ERR));
        Pointer reader = opened.getValue();
        printEntries(reader, out);
        LongByReference client = new LongByReference(), venue = new LongByReference();
        must(STORE.es_lookup(reader, EventStore.CLIENT_ORDER_ID, clientKey, clientKey.length, client, ERR));
        must(STORE.es_lookup(reader, EventStore.VENUE_ORDER_ID, venueKey, venueKey.length, venue, ERR));
        out.printf("lookup ZÜRICH-0077 %d V-0150 %d%n", client.getValue(), venue.getValue());
        EventStore.Anchor anchor = new EventStore.Anchor();
        Memory texts = new Memory(256);
        must(STORE.es_get_anchor(reader, anchor, anchor.size(), texts, texts.size(), NEEDED, ERR));
        out.printf("anchor %d %s%n", anchor.highWatermark, anchor.blobRef.data.getString(0, "UTF-8"));
        out.println(written[1]);
        STORE.es_free_reader(reader);
    }
}
