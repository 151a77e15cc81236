// The session of ../c/session.c in Java, through JNA: captured, sealed, read back and printed.
//
//     java -cp jna.jar:. -Djna.library.path=LIBDIR Session BASE
//
// Packed drafts hold no pointers: what they consist of is a byte[] of Java's own.

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.io.ByteArrayOutputStream;
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

    /** Drafts, and the arena that their offsets count from. */
    static final class Packer {
        final EventStore.PackedDraft[] drafts;
        final ByteArrayOutputStream arena = new ByteArrayOutputStream();
        int count;

        Packer(int most) {
            drafts = (EventStore.PackedDraft[]) new EventStore.PackedDraft().toArray(most);
        }

        long put(byte[] bytes) {
            long offset = arena.size();
            arena.write(bytes, 0, bytes.length);
            return offset;
        }

        int submit(Pointer run, EventStore.SubmitOptions options) {
            byte[] bytes = arena.toByteArray();
            return STORE.es_submit_packed(run, drafts, drafts[0].size(), count, bytes, bytes.length,
                options, SEQ, ERR);
        }
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** A text in memory of C's, which lives as long as the struct that points to it. */
    static void setText(EventStore.Text text, String value) {
        byte[] bytes = utf8(value);
        Memory memory = new Memory(bytes.length);
        memory.write(0, bytes, 0, bytes.length);
        text.data = memory;
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

    /** Packs the two drafts of an order: that the venue accepted it, and that it was filled. */
    static void add(Packer packer, long number) {
        long price = 10000 + number * 37 % 101, quantity = 1 + number % 7;
        String[] ids = {String.format("ZÜRICH-%04d", number), String.format("V-%04d", number)};
        ByteArrayOutputStream keys = new ByteArrayOutputStream();
        for (int kind = 0; kind < 2; kind++) { // CLIENT_ORDER_ID, VENUE_ORDER_ID
            byte[] key = utf8(ids[kind]);
            keys.write(kind);
            keys.write(0);
            keys.write(key.length);
            keys.write(0);
            keys.write(key, 0, key.length);
        }
        long keysOffset = packer.put(keys.toByteArray());
        String[] topics = {"orders.SIM.ALFA", "fills.SIM.ALFA"}, types = {"OrderAccepted", "OrderFilled"};
        byte[][] payloads = {
            utf8(String.format("{\"order\":\"%s\",\"price\":%d,\"quantity\":%d}", ids[0], price, quantity)),
            ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN).putLong(number).putLong(price)
                .putLong(quantity).array()};
        for (int i = 0; i < 2; i++) {
            EventStore.PackedDraft draft = packer.drafts[packer.count++];
            draft.topicOffset = packer.put(utf8(topics[i]));
            draft.topicLen = topics[i].length();
            draft.payloadTypeOffset = packer.put(utf8(types[i]));
            draft.payloadTypeLen = types[i].length();
            draft.payloadOffset = packer.put(payloads[i]);
            draft.payloadLen = payloads[i].length;
            draft.keysOffset = keysOffset;
            draft.keysLen = keys.size();
            draft.keyCount = 2;
            draft.flags = EventStore.DRAFT_HAS_CORRELATION_ID;
            draft.correlationId = id(1, number);
            if (i == 1) {
                draft.flags |= EventStore.DRAFT_HAS_CAUSATION_ID;
                draft.causationId = id(2, number);
            }
            draft.tsInit = START_NS + (2 * number - 1 + i) * 1000;
            draft.tsPublish = draft.tsInit + 250;
        }
    }

    /** Writes the session and gives the line about the call that was refused. */
    static String capture(Pointer run) {
        long number = 1;
        for (; number <= ORDERS - BATCH_ORDERS; number++) {
            Packer order = new Packer(2);
            add(order, number);
            must(order.submit(run, null));
        }
        must(STORE.es_flush(run, PATIENCE_NS, ERR));
        long next = SEQ.getValue() + 2;

        EventStore.SubmitOptions expecting = new EventStore.SubmitOptions();
        must(STORE.es_init_submit_options(expecting, expecting.size()));
        expecting.expectedSeq = 7;
        Packer late = new Packer(2);
        add(late, 1);
        int status = late.submit(run, expecting);
        String refused = String.format("refused %s next %d: %s", STORE.es_status_name(status),
            ERR.nextSeq, Native.toString(ERR.message, "UTF-8"));

        Packer batch = new Packer(2 * BATCH_ORDERS);
        for (int i = 0; i < BATCH_ORDERS; i++) {
            add(batch, number + i);
        }
        expecting.expectedSeq = next;
        must(batch.submit(run, expecting));
        long last = SEQ.getValue() + batch.count - 1;
        must(STORE.es_wait_durable(run, last, PATIENCE_NS, ERR));
        byte[] blob = utf8("snapshots/300.bin"), hash = utf8("none:300");
        must(STORE.es_record_anchor(run, last, blob, blob.length, hash, hash.length,
            PATIENCE_NS, ERR));
        return refused;
    }

    /** Captures into a new run below base, seals it, and gives its path and the refused line. */
    static String[] write(byte[] base) {
        EventStore.Manifest manifest = new EventStore.Manifest();
        EventStore.OpenOptions options = new EventStore.OpenOptions();
        EventStore.CloseResult closed = new EventStore.CloseResult();
        must(STORE.es_init_manifest(manifest, manifest.size()));
        must(STORE.es_init_open_options(options, options.size()));
        must(STORE.es_init_close_result(closed, closed.size()));
        setText(manifest.instanceId, "INTEROP");
        setText(manifest.runId, "session");
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
