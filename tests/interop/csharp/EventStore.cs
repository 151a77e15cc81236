// What the session needs of eventstore.h, for P/Invoke: structs field by field, then the calls.
//
// All structs are plain memory, so that they are passed by address and never copied.
using System;
using System.Runtime.InteropServices;

unsafe struct Text { public byte* data; public UIntPtr len; }

unsafe struct Manifest {
    public uint structSize, schemaVersion;
    public Text runId, parentRunId, instanceId, binaryHash, crateVersions, configHash;
    public fixed ulong lists[14]; // seven pointers, each with a count
    public ulong seed, startTsInit, endTsInit, highWatermark;
    public uint status, flags;
    public fixed ulong reserved[4];
}

unsafe struct OpenOptions {
    public uint structSize, abiVersion, flags, backend, durability, waitPolicy, writerCpu, reserved0;
    public ulong cacheBytes, queueEntries, queueBytes, groupEntries, groupBytes, groupLingerNs;
    public ulong haltAfterNs, hotNs;
    public IntPtr onHalt, onHaltContext;
    public fixed byte digestKey[32];
    public fixed ulong reserved1[4];
}

unsafe struct SubmitOptions {
    public uint structSize, flags;
    public ulong expectedSeq, timeoutNs;
    public fixed ulong reserved[2];
}

unsafe struct CloseResult {
    public uint structSize, isSealed, status, digestPresent;
    public ulong highWatermark;
    public fixed byte digest[32];
    public int haltStatus, haltErrno;
    public fixed ulong reserved[2];
}

unsafe struct PackedDraft {
    public ulong tsInit, tsPublish;
    public ulong topicOffset, payloadTypeOffset, payloadOffset, keysOffset, payloadLen;
    public uint topicLen, payloadTypeLen, keysLen, keyCount, flags, reserved;
    public fixed byte correlationId[16];
    public fixed byte causationId[16];
}

unsafe struct ScanRequest {
    public uint structSize, direction;
    public ulong from, to, maxRows, maxBytes;
    public fixed ulong reserved[2];
}

struct ScanResult {
    public uint structSize, more;
    public ulong rows, arenaUsed, nextSeq, highWatermark;
}

unsafe struct Entry {
    public ulong seq, tsInit, tsPublish;
    public ulong topicOffset, payloadTypeOffset, payloadOffset, keysOffset, payloadLen;
    public uint topicLen, payloadTypeLen, keysLen, keyCount, flags, reserved;
    public fixed byte correlationId[16];
    public fixed byte causationId[16];
    public fixed byte entryHash[32];
}

struct Anchor { public ulong highWatermark; public Text blobRef, contentHash; }

unsafe struct Failure { // es_error
    public int code, osErrno;
    public ulong itemIndex, seq, nextSeq, prevSeq, highWatermark, count, required;
    public uint formatFound, reserved;
    public fixed byte message[184];
}

static unsafe class EventStore {
    const string Library = "eventstore";
    public const uint ClientOrderId = 0, VenueOrderId = 1;
    public const uint HasCorrelationId = 1, HasCausationId = 2;

    [DllImport(Library)] public static extern byte* es_status_name(int status);

    [DllImport(Library)] public static extern int es_init_manifest(Manifest* value, UIntPtr size);
    [DllImport(Library)] public static extern int es_init_open_options(OpenOptions* value, UIntPtr size);
    [DllImport(Library)] public static extern int es_init_submit_options(SubmitOptions* value, UIntPtr size);
    [DllImport(Library)] public static extern int es_init_close_result(CloseResult* value, UIntPtr size);
    [DllImport(Library)] public static extern int es_init_scan_request(ScanRequest* value, UIntPtr size);
    [DllImport(Library)] public static extern int es_init_scan_result(ScanResult* value, UIntPtr size);

    [DllImport(Library)] public static extern int es_open_run(byte[] path, UIntPtr length,
        Manifest* manifest, OpenOptions* options, out IntPtr run, Failure* err);
    [DllImport(Library)] public static extern int es_submit_packed(IntPtr run, PackedDraft[] drafts,
        UIntPtr stride, UIntPtr count, byte[] arena, UIntPtr arenaLength, SubmitOptions* options,
        out ulong firstSeq, Failure* err);
    [DllImport(Library)] public static extern int es_flush(IntPtr run, ulong timeoutNs, Failure* err);
    [DllImport(Library)] public static extern int es_wait_durable(IntPtr run, ulong seq,
        ulong timeoutNs, Failure* err);
    [DllImport(Library)] public static extern int es_record_anchor(IntPtr run, ulong seq,
        byte[] blobRef, UIntPtr blobRefLength, byte[] contentHash, UIntPtr contentHashLength,
        ulong timeoutNs, Failure* err);
    [DllImport(Library)] public static extern int es_get_run_path(IntPtr run, byte[] path,
        UIntPtr capacity, out UIntPtr needed, Failure* err);
    [DllImport(Library)] public static extern int es_close_run(IntPtr run, void* options,
        CloseResult* result, Failure* err);
    [DllImport(Library)] public static extern void es_free_run(IntPtr run);

    [DllImport(Library)] public static extern int es_open_sealed_run(byte[] path, UIntPtr length,
        void* options, out IntPtr reader, Failure* err);
    [DllImport(Library)] public static extern int es_scan_range(IntPtr reader, ScanRequest* request,
        Entry* entries, UIntPtr stride, UIntPtr capacity, byte* arena, UIntPtr arenaCapacity,
        ScanResult* result, Failure* err);
    [DllImport(Library)] public static extern int es_lookup(IntPtr reader, uint kind, byte[] key,
        UIntPtr length, out ulong seq, Failure* err);
    [DllImport(Library)] public static extern int es_get_anchor(IntPtr reader, Anchor* anchor,
        UIntPtr size, byte* arena, UIntPtr arenaCapacity, out UIntPtr needed, Failure* err);
    [DllImport(Library)] public static extern void es_free_reader(IntPtr reader);
}
