// The session of ../c/session.c in C#, through P/Invoke: captured, sealed, read back and printed.
//
//     mono Session.exe BASE          with libeventstore.so where the loader finds it
//
// Packed drafts hold no pointers: they and their arena are C#'s own, held still during the call.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using static EventStore;

static unsafe class Session {
    const uint Orders = 150, BatchOrders = 25, PageEntries = 64, ArenaBytes = 64 * 1024;
    const ulong StartNs = 1740992400000000000, PatienceNs = 10000000000;
    const ulong FnvOffset = 0xcbf29ce484222325, FnvPrime = 0x100000001b3;

    static UIntPtr Size(long bytes) { return (UIntPtr)(ulong)bytes; }

    static byte[] Utf8(string text) { return Encoding.UTF8.GetBytes(text); }

    static string TextAt(byte* at) {
        int length = 0;
        while (at[length] != 0) length++;
        return Encoding.UTF8.GetString(at, length);
    }

    static void Must(int status, ref Failure err) {
        if (status == 0) return;
        fixed (byte* message = err.message)
            throw new IOException(TextAt(es_status_name(status)) + ": " + TextAt(message));
    }

    /// Drafts, and the arena that their offsets count from.
    sealed class Packer {
        public readonly List<PackedDraft> drafts = new List<PackedDraft>();
        readonly MemoryStream arena = new MemoryStream();

        public ulong Put(byte[] bytes) {
            var offset = (ulong)arena.Length;
            arena.Write(bytes, 0, bytes.Length);
            return offset;
        }

        /// Hands all drafts over in one call.
        public int Submit(IntPtr run, SubmitOptions* options, out ulong first, Failure* err) {
            byte[] bytes = arena.ToArray();
            return es_submit_packed(run, drafts.ToArray(), Size(sizeof(PackedDraft)),
                Size(drafts.Count), bytes, Size(bytes.Length), options, out first, err);
        }
    }

    static void PutId(byte* id, byte kind, uint number) {
        for (byte i = 0; i < 16; i++) id[i] = i;
        id[0] = kind;
        id[1] = (byte)number;
        id[2] = (byte)(number >> 8);
    }

    /// Packs the two drafts of an order: that the venue accepted it, and that it was filled.
    static void Add(Packer packer, uint number) {
        ulong price = 10000 + number * 37 % 101, quantity = 1 + number % 7;
        string[] ids = { "ZÜRICH-" + number.ToString("D4"), "V-" + number.ToString("D4") };
        var filled = new MemoryStream();
        var writer = new BinaryWriter(filled); // little-endian
        writer.Write((ulong)number);
        writer.Write(price);
        writer.Write(quantity);
        var keys = new MemoryStream();
        var keyWriter = new BinaryWriter(keys);
        for (ushort kind = 0; kind < 2; kind++) { // ClientOrderId, VenueOrderId
            byte[] key = Utf8(ids[kind]);
            keyWriter.Write(kind);
            keyWriter.Write((ushort)key.Length);
            keyWriter.Write(key);
        }
        ulong keysOffset = packer.Put(keys.ToArray());
        string[] topics = { "orders.SIM.ALFA", "fills.SIM.ALFA" };
        string[] types = { "OrderAccepted", "OrderFilled" };
        byte[][] payloads = { Utf8("{\"order\":\"" + ids[0] + "\",\"price\":" + price +
            ",\"quantity\":" + quantity + "}"), filled.ToArray() };
        for (uint i = 0; i < 2; i++) {
            var draft = new PackedDraft();
            draft.topicOffset = packer.Put(Utf8(topics[i]));
            draft.topicLen = (uint)topics[i].Length;
            draft.payloadTypeOffset = packer.Put(Utf8(types[i]));
            draft.payloadTypeLen = (uint)types[i].Length;
            draft.payloadOffset = packer.Put(payloads[i]);
            draft.payloadLen = (ulong)payloads[i].Length;
            draft.keysOffset = keysOffset;
            draft.keysLen = (uint)keys.Length;
            draft.keyCount = 2;
            draft.flags = HasCorrelationId;
            PutId(draft.correlationId, 1, number);
            if (i == 1) {
                draft.flags |= HasCausationId;
                PutId(draft.causationId, 2, number);
            }
            draft.tsInit = StartNs + (2 * number - 1 + i) * 1000;
            draft.tsPublish = draft.tsInit + 250;
            packer.drafts.Add(draft);
        }
    }

    /// Writes the session and gives the line about the call that was refused.
    static string Capture(IntPtr run) {
        var err = new Failure();
        ulong seq = 0, claimed;
        uint number = 1;
        for (; number <= Orders - BatchOrders; number++) {
            var order = new Packer();
            Add(order, number);
            Must(order.Submit(run, null, out seq, &err), ref err);
        }
        Must(es_flush(run, PatienceNs, &err), ref err);

        SubmitOptions expecting;
        Must(es_init_submit_options(&expecting, Size(sizeof(SubmitOptions))), ref err);
        expecting.expectedSeq = 7;
        var late = new Packer();
        Add(late, 1);
        int status = late.Submit(run, &expecting, out claimed, &err);
        string refused = "refused " + TextAt(es_status_name(status)) + " next " + err.nextSeq +
            ": " + TextAt(err.message);

        var batch = new Packer();
        for (uint i = 0; i < BatchOrders; i++) Add(batch, number + i);
        expecting.expectedSeq = seq + 2;
        Must(batch.Submit(run, &expecting, out seq, &err), ref err);
        ulong last = seq + (ulong)batch.drafts.Count - 1;
        Must(es_wait_durable(run, last, PatienceNs, &err), ref err);
        byte[] blob = Utf8("snapshots/300.bin"), hash = Utf8("none:300");
        Must(es_record_anchor(run, last, blob, Size(blob.Length), hash, Size(hash.Length),
            PatienceNs, &err), ref err);
        return refused;
    }

    /// Captures into a new run below a folder, seals it, and gives its path.
    static byte[] Write(byte[] folder, out string refused) {
        var err = new Failure();
        Manifest manifest;
        OpenOptions options;
        CloseResult closed;
        IntPtr run;
        Must(es_init_manifest(&manifest, Size(sizeof(Manifest))), ref err);
        Must(es_init_open_options(&options, Size(sizeof(OpenOptions))), ref err);
        Must(es_init_close_result(&closed, Size(sizeof(CloseResult))), ref err);
        manifest.startTsInit = StartNs;
        options.haltAfterNs = PatienceNs;
        byte[] instance = Utf8("INTEROP"), name = Utf8("session");
        fixed (byte* instanceAt = instance, nameAt = name) {
            manifest.instanceId.data = instanceAt;
            manifest.instanceId.len = Size(instance.Length);
            manifest.runId.data = nameAt;
            manifest.runId.len = Size(name.Length);
            Must(es_open_run(folder, Size(folder.Length), &manifest, &options, out run, &err), ref err);
        }
        try {
            var path = new byte[4096];
            UIntPtr needed;
            refused = Capture(run);
            Must(es_get_run_path(run, path, Size(path.Length), out needed, &err), ref err);
            Must(es_close_run(run, null, &closed, &err), ref err);
            Must(closed.isSealed == 1 ? 0 : closed.haltStatus, ref err);
            Array.Resize(ref path, (int)needed - 1); // without the NUL
            return path;
        } finally {
            es_free_run(run);
        }
    }

    static ulong Fnv(ulong sum, byte* bytes, ulong count) {
        for (ulong i = 0; i < count; i++) sum = unchecked((sum ^ bytes[i]) * FnvPrime);
        return sum;
    }

    static void PrintEntries(IntPtr reader) {
        var entries = new Entry[PageEntries];
        var memory = new byte[ArenaBytes];
        var err = new Failure();
        ScanRequest request;
        ScanResult page;
        ulong hashes = FnvOffset, contents = FnvOffset, count = 0, first = 0, last = 0, pages = 0;
        Must(es_init_scan_request(&request, Size(sizeof(ScanRequest))), ref err);
        Must(es_init_scan_result(&page, Size(sizeof(ScanResult))), ref err);
        fixed (Entry* pinned = entries)
        fixed (byte* arena = memory) {
            do {
                Must(es_scan_range(reader, &request, pinned, Size(sizeof(Entry)), Size(PageEntries),
                    arena, Size(ArenaBytes), &page, &err), ref err);
                for (Entry* entry = pinned; entry < pinned + page.rows; entry++) {
                    first = first == 0 ? entry->seq : first;
                    last = entry->seq;
                    count++;
                    if (TextAt(arena + entry->topicOffset).StartsWith("run.lifecycle.", StringComparison.Ordinal))
                        continue; // the store's RunEnded: its ts_publish is the clock's
                    hashes = Fnv(hashes, entry->entryHash, 32);
                    contents = Fnv(contents, arena + entry->topicOffset, entry->topicLen);
                    contents = Fnv(contents, arena + entry->payloadOffset, entry->payloadLen);
                    contents = Fnv(contents, arena + entry->keysOffset, entry->keysLen);
                }
                pages++;
                request.from = page.nextSeq;
            } while (page.more != 0);
        }
        Console.WriteLine("entries {0} first {1} last {2} pages {3}", count, first, last, pages);
        Console.WriteLine("hashes {0:x16}\ncontents {1:x16}", hashes, contents);
    }

    static void Main(string[] arguments) {
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
        Console.OutputEncoding = new UTF8Encoding(false);
        string refused;
        byte[] path = Write(Utf8(arguments[0]), out refused);
        var err = new Failure();
        IntPtr reader;
        Must(es_open_sealed_run(path, Size(path.Length), null, out reader, &err), ref err);
        PrintEntries(reader);
        ulong client, venue;
        byte[] clientKey = Utf8("ZÜRICH-0077"), venueKey = Utf8("V-0150");
        Must(es_lookup(reader, ClientOrderId, clientKey, Size(clientKey.Length), out client, &err), ref err);
        Must(es_lookup(reader, VenueOrderId, venueKey, Size(venueKey.Length), out venue, &err), ref err);
        Console.WriteLine("lookup ZÜRICH-0077 {0} V-0150 {1}", client, venue);
        Anchor anchor;
        byte* texts = stackalloc byte[256];
        UIntPtr needed;
        Must(es_get_anchor(reader, &anchor, Size(sizeof(Anchor)), texts, Size(256), out needed, &err), ref err);
        Console.WriteLine("anchor {0} {1}", anchor.highWatermark, TextAt(anchor.blobRef.data));
        Console.WriteLine(refused);
        es_free_reader(reader);
    }
}
