// What the session needs of eventstore.h, for JNA: structs field by field, then the calls.

import com.sun.jna.Library;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.Structure.FieldOrder;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;

/**
 * Numbers are as in the header: size_t and uint64_t are long. Texts are bytes and their count, since
 * JNA encodes a String as the locale says.
 */
interface EventStore extends Library {
    int OK = 0;
    int CLIENT_ORDER_ID = 0;
    int VENUE_ORDER_ID = 1;
    int DRAFT_HAS_CORRELATION_ID = 1;
    int DRAFT_HAS_CAUSATION_ID = 2;

    @FieldOrder({"data", "len"})
    class Text extends Structure {
        public Pointer data;
        public long len;
    }

    @FieldOrder({"structSize", "schemaVersion", "runId", "parentRunId", "instanceId", "binaryHash",
        "crateVersions", "configHash", "lists", "seed", "startTsInit", "endTsInit", "highWatermark",
        "status", "flags", "reserved"})
    class Manifest extends Structure {
        public int structSize, schemaVersion;
        public Text runId, parentRunId, instanceId, binaryHash, crateVersions, configHash;
        public long[] lists = new long[14]; // seven pointers, each with a count
        public long seed, startTsInit, endTsInit, highWatermark;
        public int status, flags;
        public long[] reserved = new long[4];
    }

    @FieldOrder({"structSize", "abiVersion", "flags", "backend", "durability", "waitPolicy",
        "writerCpu", "reserved0", "cacheBytes", "queueEntries", "queueBytes", "groupEntries",
        "groupBytes", "groupLingerNs", "haltAfterNs", "hotNs", "onHalt", "onHaltContext",
        "digestKey", "reserved1"})
    class OpenOptions extends Structure {
        public int structSize, abiVersion, flags, backend, durability, waitPolicy, writerCpu, reserved0;
        public long cacheBytes, queueEntries, queueBytes, groupEntries, groupBytes, groupLingerNs;
        public long haltAfterNs, hotNs;
        public Pointer onHalt, onHaltContext;
        public byte[] digestKey = new byte[32];
        public long[] reserved1 = new long[4];
    }

    @FieldOrder({"structSize", "flags", "expectedSeq", "timeoutNs", "reserved"})
    class SubmitOptions extends Structure {
        public int structSize, flags;
        public long expectedSeq, timeoutNs;
        public long[] reserved = new long[2];
    }

    @FieldOrder({"structSize", "sealed", "status", "digestPresent", "highWatermark", "digest",
        "haltStatus", "haltErrno", "reserved"})
    class CloseResult extends Structure {
        public int structSize, sealed, status, digestPresent;
        public long highWatermark;
        public byte[] digest = new byte[32];
        public int haltStatus, haltErrno;
        public long[] reserved = new long[2];
    }

    @FieldOrder({"tsInit", "tsPublish", "topicOffset", "payloadTypeOffset", "payloadOffset",
        "keysOffset", "payloadLen", "topicLen", "payloadTypeLen", "keysLen", "keyCount", "flags",
        "reserved", "correlationId", "causationId"})
    class PackedDraft extends Structure {
        public long tsInit, tsPublish;
        public long topicOffset, payloadTypeOffset, payloadOffset, keysOffset, payloadLen;
        public int topicLen, payloadTypeLen, keysLen, keyCount, flags, reserved;
        public byte[] correlationId = new byte[16], causationId = new byte[16];
    }

    @FieldOrder({"structSize", "direction", "from", "to", "maxRows", "maxBytes", "reserved"})
    class ScanRequest extends Structure {
        public int structSize, direction;
        public long from, to, maxRows, maxBytes;
        public long[] reserved = new long[2];
    }

    @FieldOrder({"structSize", "more", "rows", "arenaUsed", "nextSeq", "highWatermark"})
    class ScanResult extends Structure {
        public int structSize, more;
        public long rows, arenaUsed, nextSeq, highWatermark;
    }

    @FieldOrder({"seq", "tsInit", "tsPublish", "topicOffset", "payloadTypeOffset", "payloadOffset",
        "keysOffset", "payloadLen", "topicLen", "payloadTypeLen", "keysLen", "keyCount", "flags",
        "reserved", "correlationId", "causationId", "entryHash"})
    class Entry extends Structure {
        public long seq, tsInit, tsPublish;
        public long topicOffset, payloadTypeOffset, payloadOffset, keysOffset, payloadLen;
        public int topicLen, payloadTypeLen, keysLen, keyCount, flags, reserved;
        public byte[] correlationId = new byte[16], causationId = new byte[16];
        public byte[] entryHash = new byte[32];
    }

    @FieldOrder({"highWatermark", "blobRef", "contentHash"})
    class Anchor extends Structure {
        public long highWatermark;
        public Text blobRef, contentHash;
    }

    @FieldOrder({"code", "osErrno", "itemIndex", "seq", "nextSeq", "prevSeq", "highWatermark",
        "count", "required", "formatFound", "reserved", "message"})
    class Failure extends Structure { // es_error
        public int code, osErrno;
        public long itemIndex, seq, nextSeq, prevSeq, highWatermark, count, required;
        public int formatFound, reserved;
        public byte[] message = new byte[184];
    }

    String es_status_name(int status);

    int es_init_manifest(Manifest manifest, long size);
    int es_init_open_options(OpenOptions options, long size);
    int es_init_submit_options(SubmitOptions options, long size);
    int es_init_close_result(CloseResult result, long size);
    int es_init_scan_request(ScanRequest request, long size);
    int es_init_scan_result(ScanResult result, long size);

    int es_open_run(byte[] base, long baseLen, Manifest manifest, OpenOptions options,
        PointerByReference out, Failure err);
    int es_submit_packed(Pointer run, PackedDraft[] drafts, long stride, long count, byte[] arena,
        long arenaLen, SubmitOptions options, LongByReference firstSeq, Failure err);
    int es_flush(Pointer run, long timeoutNs, Failure err);
    int es_wait_durable(Pointer run, long seq, long timeoutNs, Failure err);
    int es_record_anchor(Pointer run, long seq, byte[] blobRef, long blobRefLen,
        byte[] contentHash, long contentHashLen, long timeoutNs, Failure err);
    int es_get_run_path(Pointer run, byte[] path, long cap, LongByReference needed, Failure err);
    int es_close_run(Pointer run, Pointer options, CloseResult out, Failure err);
    void es_free_run(Pointer run);

    int es_open_sealed_run(byte[] path, long pathLen, Pointer options, PointerByReference out,
        Failure err);
    int es_scan_range(Pointer reader, ScanRequest request, Entry[] entries, long stride,
        long entryCap, byte[] arena, long arenaCap, ScanResult result, Failure err);
    int es_lookup(Pointer reader, int kind, byte[] key, long keyLen, LongByReference seq,
        Failure err);
    int es_get_anchor(Pointer reader, Anchor out, long outSize, Pointer arena, long arenaCap,
        LongByReference needed, Failure err);
    void es_free_reader(Pointer reader);
}
