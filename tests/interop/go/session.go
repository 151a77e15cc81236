// The session of ../c/session.c in Go: captured, sealed, read back and printed.
//
//	session BASE
//
// cgo lets no Go pointer lie inside memory that C reads. Packed drafts hold none, so they and their
// arena are Go's own slices; only the two texts of the manifest are put into C memory.
package main

/*
#include <stdlib.h>
#include <eventstore.h>
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"strings"
	"unsafe"
)

const (
	orders      = 150
	batchOrders = 25
	pageEntries = 64
	arenaBytes  = 64 * 1024
	startNs     = 1740992400000000000
	patienceNs  = 10000000000
)

// must ends the program when a call failed; err is what the call filled.
func must(status C.es_status, err *C.es_error) {
	if status != C.ES_OK {
		fmt.Fprintf(os.Stderr, "%s: %s\n", C.GoString(C.es_status_name(status)),
			C.GoString(&err.message[0]))
		os.Exit(1)
	}
}

// packer collects drafts and the arena that their offsets count from.
type packer struct {
	drafts []C.es_packed_draft
	arena  []byte
}

func (p *packer) put(bytes []byte) C.uint64_t {
	offset := len(p.arena)
	p.arena = append(p.arena, bytes...)
	return C.uint64_t(offset)
}

// submit hands all drafts over in one call.
func (p *packer) submit(run *C.es_run, options *C.es_submit_options, seq *C.uint64_t,
	e *C.es_error) C.es_status {
	return C.es_submit_packed(run, &p.drafts[0], C.sizeof_es_packed_draft,
		C.size_t(len(p.drafts)), unsafe.Pointer(&p.arena[0]), C.size_t(len(p.arena)), options, seq, e)
}

// text gives what a call takes of a text, for the time of the call.
func text(text string) (*C.char, C.size_t) {
	bytes := []byte(text)
	return (*C.char)(unsafe.Pointer(&bytes[0])), C.size_t(len(bytes))
}

func id(kind byte, number uint64) (bytes [16]C.uint8_t) {
	for i := range bytes {
		bytes[i] = C.uint8_t(i)
	}
	bytes[0], bytes[1], bytes[2] = C.uint8_t(kind), C.uint8_t(number), C.uint8_t(number>>8)
	return bytes
}

// add packs the two drafts of an order: that the venue accepted it, that it was filled.
func (p *packer) add(number uint64) {
	price, quantity := 10000+number*37%101, 1+number%7
	clientID, venueID := fmt.Sprintf("ZÜRICH-%04d", number), fmt.Sprintf("V-%04d", number)
	accepted := fmt.Sprintf(`{"order":"%s","price":%d,"quantity":%d}`, clientID, price, quantity)
	filled := make([]byte, 24)
	binary.LittleEndian.PutUint64(filled, number)
	binary.LittleEndian.PutUint64(filled[8:], price)
	binary.LittleEndian.PutUint64(filled[16:], quantity)

	var keys []byte
	for kind, key := range []string{clientID, venueID} { // CLIENT_ORDER_ID, VENUE_ORDER_ID
		keys = append(keys, byte(kind), 0, byte(len(key)), 0)
		keys = append(keys, key...)
	}
	keysOffset := p.put(keys)
	parts := []struct {
		topic, payloadType string
		payload            []byte
	}{{"orders.SIM.ALFA", "OrderAccepted", []byte(accepted)}, {"fills.SIM.ALFA", "OrderFilled", filled}}
	for i, part := range parts {
		var draft C.es_packed_draft
		draft.topic_offset, draft.topic_len = p.put([]byte(part.topic)), C.uint32_t(len(part.topic))
		draft.payload_type_offset = p.put([]byte(part.payloadType))
		draft.payload_type_len = C.uint32_t(len(part.payloadType))
		draft.payload_offset, draft.payload_len = p.put(part.payload), C.uint64_t(len(part.payload))
		draft.keys_offset, draft.keys_len, draft.key_count = keysOffset, C.uint32_t(len(keys)), 2
		draft.flags = C.ES_DRAFT_HAS_CORRELATION_ID
		draft.correlation_id = id(1, number)
		if i == 1 {
			draft.flags |= C.ES_DRAFT_HAS_CAUSATION_ID
			draft.causation_id = id(2, number)
		}
		draft.ts_init = C.uint64_t(startNs + (2*number-1+uint64(i))*1000)
		draft.ts_publish = draft.ts_init + 250
		p.drafts = append(p.drafts, draft)
	}
}

// capture writes the session and gives the line about the call that was refused.
func capture(run *C.es_run) string {
	var e C.es_error
	var seq C.uint64_t
	for number := uint64(1); number <= orders-batchOrders; number++ {
		var order packer
		order.add(number)
		must(order.submit(run, nil, &seq, &e), &e)
	}
	must(C.es_flush(run, patienceNs, &e), &e)

	var expecting C.es_submit_options
	must(C.es_init_submit_options(&expecting, C.sizeof_es_submit_options), &e)
	expecting.expected_seq = 7
	var late packer
	late.add(1)
	status := late.submit(run, &expecting, nil, &e)
	refused := fmt.Sprintf("refused %s next %d: %s", C.GoString(C.es_status_name(status)), e.next_seq,
		C.GoString(&e.message[0]))

	var batch packer
	for number := uint64(orders - batchOrders + 1); number <= orders; number++ {
		batch.add(number)
	}
	expecting.expected_seq = seq + 2
	must(batch.submit(run, &expecting, &seq, &e), &e)
	last := seq + C.uint64_t(len(batch.drafts)) - 1
	must(C.es_wait_durable(run, last, patienceNs, &e), &e)
	blob, blobLen := text("snapshots/300.bin")
	digest, digestLen := text("none:300")
	must(C.es_record_anchor(run, last, blob, blobLen, digest, digestLen, patienceNs, &e), &e)
	return refused
}

// write captures into a new run below base, seals it, and gives its path.
func write(base string) (path, refused string) {
	instance, name := C.CString("INTEROP"), C.CString("session")
	defer C.free(unsafe.Pointer(instance))
	defer C.free(unsafe.Pointer(name))
	var e C.es_error
	var manifest C.es_manifest
	var options C.es_open_options
	var closed C.es_close_result
	must(C.es_init_manifest(&manifest, C.sizeof_es_manifest), &e)
	must(C.es_init_open_options(&options, C.sizeof_es_open_options), &e)
	must(C.es_init_close_result(&closed, C.sizeof_es_close_result), &e)
	manifest.instance_id.data, manifest.instance_id.len = instance, C.ES_NTS
	manifest.run_id.data, manifest.run_id.len = name, C.ES_NTS
	manifest.start_ts_init = startNs
	options.halt_after_ns = patienceNs
	var run *C.es_run
	baseText, baseLen := text(base)
	must(C.es_open_run(baseText, baseLen, &manifest, &options, &run, &e), &e)
	defer C.es_free_run(run)
	refused = capture(run)
	buffer := make([]byte, 4096)
	var needed C.size_t
	must(C.es_get_run_path(run, (*C.char)(unsafe.Pointer(&buffer[0])), C.size_t(len(buffer)), &needed,
		&e), &e)
	must(C.es_close_run(run, nil, &closed, &e), &e)
	if closed.sealed == 0 {
		must(closed.halt_status, &e)
	}
	return string(buffer[:needed-1]), refused
}

func printEntries(reader *C.es_reader) {
	var e C.es_error
	var request C.es_scan_request
	var page C.es_scan_result
	entries := make([]C.es_entry, pageEntries)
	arena := make([]byte, arenaBytes)
	must(C.es_init_scan_request(&request, C.sizeof_es_scan_request), &e)
	must(C.es_init_scan_result(&page, C.sizeof_es_scan_result), &e)
	hashes, contents := fnv.New64a(), fnv.New64a()
	var count, pages int
	var first, last C.uint64_t
	for more := true; more; more = page.more != 0 {
		must(C.es_scan_range(reader, &request, &entries[0], C.sizeof_es_entry, pageEntries,
			unsafe.Pointer(&arena[0]), arenaBytes, &page, &e), &e)
		for i := range entries[:page.rows] {
			entry := &entries[i]
			if first == 0 {
				first = entry.seq
			}
			last = entry.seq
			count++
			topic := arena[entry.topic_offset:][:entry.topic_len]
			if strings.HasPrefix(string(topic), "run.lifecycle.") {
				continue // the store's RunEnded: its ts_publish is the clock's
			}
			hashes.Write((*[32]byte)(unsafe.Pointer(&entry.entry_hash))[:])
			contents.Write(topic)
			contents.Write(arena[entry.payload_offset:][:entry.payload_len])
			contents.Write(arena[entry.keys_offset:][:entry.keys_len])
		}
		pages++
		request.from = page.next_seq
	}
	fmt.Printf("entries %d first %d last %d pages %d\n", count, first, last, pages)
	fmt.Printf("hashes %016x\n", hashes.Sum64())
	fmt.Printf("contents %016x\n", contents.Sum64())
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: session BASE")
		os.Exit(2)
	}
	path, refused := write(os.Args[1])
	var e C.es_error
	var reader *C.es_reader
	pathText, pathLen := text(path)
	must(C.es_open_sealed_run(pathText, pathLen, nil, &reader, &e), &e)
	defer C.es_free_reader(reader)
	printEntries(reader)

	var client, venue C.uint64_t
	key, keyLen := text("ZÜRICH-0077")
	must(C.es_lookup(reader, C.ES_INDEX_CLIENT_ORDER_ID, key, keyLen, &client, &e), &e)
	key, keyLen = text("V-0150")
	must(C.es_lookup(reader, C.ES_INDEX_VENUE_ORDER_ID, key, keyLen, &venue, &e), &e)
	fmt.Printf("lookup ZÜRICH-0077 %d V-0150 %d\n", client, venue)

	var anchor C.es_anchor
	var needed C.size_t
	texts := C.malloc(256) // the anchor's texts will point into it
	defer C.free(texts)
	must(C.es_get_anchor(reader, &anchor, C.sizeof_es_anchor, texts, 256, &needed, &e), &e)
	fmt.Printf("anchor %d %s\n", anchor.high_watermark, C.GoString(anchor.blob_ref.data))
	fmt.Println(refused)
}
