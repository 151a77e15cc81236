// The session of ../c/session.c in Go: captured, sealed, read back and printed.
//
//	session BASE
//
// cgo lets no Go pointer lie inside memory that C reads, so whatever a draft points to is put into
// one block of C memory, which is used again for each call.
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

// scratch is memory of C's that the drafts of one call point into.
type scratch struct {
	block unsafe.Pointer
	used  uintptr
}

func newScratch() *scratch { return &scratch{block: C.malloc(arenaBytes)} }

func (s *scratch) put(bytes []byte) unsafe.Pointer {
	s.used = (s.used + 7) &^ 7
	if s.used+uintptr(len(bytes)) > arenaBytes {
		panic("the drafts of one call are larger than the scratch memory")
	}
	at := unsafe.Add(s.block, s.used)
	copy(unsafe.Slice((*byte)(at), len(bytes)), bytes)
	s.used += uintptr(len(bytes))
	return at
}

func (s *scratch) text(text string) (*C.char, C.size_t) {
	return (*C.char)(s.put([]byte(text))), C.size_t(len(text))
}

func id(kind byte, number uint64) (bytes [16]C.uint8_t) {
	for i := range bytes {
		bytes[i] = C.uint8_t(i)
	}
	bytes[0], bytes[1], bytes[2] = C.uint8_t(kind), C.uint8_t(number), C.uint8_t(number>>8)
	return bytes
}

// makeDrafts gives the two drafts of an order: that the venue accepted it, that it was filled.
func makeDrafts(s *scratch, number uint64) [2]C.es_draft {
	price, quantity := 10000+number*37%101, 1+number%7
	clientID := fmt.Sprintf("ZÜRICH-%04d", number)
	accepted := fmt.Sprintf(`{"order":"%s","price":%d,"quantity":%d}`, clientID, price, quantity)
	filled := make([]byte, 24)
	binary.LittleEndian.PutUint64(filled, number)
	binary.LittleEndian.PutUint64(filled[8:], price)
	binary.LittleEndian.PutUint64(filled[16:], quantity)

	var keys [2]C.es_index_key
	keys[0].kind = C.ES_INDEX_CLIENT_ORDER_ID
	keys[0].key, keys[0].key_len = s.text(clientID)
	keys[1].kind = C.ES_INDEX_VENUE_ORDER_ID
	keys[1].key, keys[1].key_len = s.text(fmt.Sprintf("V-%04d", number))
	keyBytes := unsafe.Slice((*byte)(unsafe.Pointer(&keys)), unsafe.Sizeof(keys))
	storedKeys := (*C.es_index_key)(s.put(keyBytes))

	var drafts [2]C.es_draft
	drafts[0].topic, drafts[0].topic_len = s.text("orders.SIM.ALFA")
	drafts[0].payload_type, drafts[0].payload_type_len = s.text("OrderAccepted")
	drafts[0].payload, drafts[0].payload_len = s.put([]byte(accepted)), C.size_t(len(accepted))
	drafts[1].topic, drafts[1].topic_len = s.text("fills.SIM.ALFA")
	drafts[1].payload_type, drafts[1].payload_type_len = s.text("OrderFilled")
	drafts[1].payload, drafts[1].payload_len = s.put(filled), C.size_t(len(filled))
	drafts[1].flags = C.ES_DRAFT_HAS_CAUSATION_ID
	drafts[1].causation_id = id(2, number)
	for i := range drafts {
		drafts[i].keys, drafts[i].key_count = storedKeys, 2
		drafts[i].flags |= C.ES_DRAFT_HAS_CORRELATION_ID
		drafts[i].correlation_id = id(1, number)
		drafts[i].ts_init = C.uint64_t(startNs + (2*number-1+uint64(i))*1000)
		drafts[i].ts_publish = drafts[i].ts_init + 250
	}
	return drafts
}

// capture writes the session and gives the line about the call that was refused.
func capture(run *C.es_run) string {
	s := newScratch()
	defer C.free(s.block)
	var e C.es_error
	var seq C.uint64_t
	for number := uint64(1); number <= orders-batchOrders; number++ {
		s.used = 0
		drafts := makeDrafts(s, number)
		for i := range drafts {
			must(C.es_submit(run, &drafts[i], C.sizeof_es_draft, nil, &seq, &e), &e)
		}
	}
	must(C.es_wait_durable(run, seq, patienceNs, &e), &e)

	var expecting C.es_submit_options
	must(C.es_init_submit_options(&expecting, C.sizeof_es_submit_options), &e)
	expecting.expected_seq = 7
	drafts := makeDrafts(s, 1)
	status := C.es_submit(run, &drafts[0], C.sizeof_es_draft, &expecting, nil, &e)
	refused := fmt.Sprintf("refused %s next %d: %s", C.GoString(C.es_status_name(status)), e.next_seq,
		C.GoString(&e.message[0]))

	s.used = 0
	var batch []C.es_draft
	for number := uint64(orders - batchOrders + 1); number <= orders; number++ {
		drafts := makeDrafts(s, number)
		batch = append(batch, drafts[:]...)
	}
	var options C.es_append_options
	var appended C.es_append_result
	must(C.es_init_append_options(&options, C.sizeof_es_append_options), &e)
	must(C.es_init_append_result(&appended, C.sizeof_es_append_result), &e)
	options.expected_seq = seq + 1
	must(C.es_append_batch(run, &batch[0], C.sizeof_es_draft, C.size_t(len(batch)), &options,
		&appended, &e), &e)
	blob, blobLen := s.text("snapshots/300.bin")
	digest, digestLen := s.text("none:300")
	must(C.es_record_anchor(run, appended.high_watermark, blob, blobLen, digest, digestLen,
		patienceNs, &e), &e)
	return refused
}

// write captures into a new run below base, seals it, and gives its path.
func write(base string) (path, refused string) {
	s := newScratch()
	defer C.free(s.block)
	var e C.es_error
	var manifest C.es_manifest
	var options C.es_open_options
	var closed C.es_close_result
	must(C.es_init_manifest(&manifest, C.sizeof_es_manifest), &e)
	must(C.es_init_open_options(&options, C.sizeof_es_open_options), &e)
	must(C.es_init_close_result(&closed, C.sizeof_es_close_result), &e)
	manifest.instance_id.data, manifest.instance_id.len = s.text("INTEROP")
	manifest.run_id.data, manifest.run_id.len = s.text("session")
	manifest.start_ts_init = startNs
	options.halt_after_ns = patienceNs
	var run *C.es_run
	baseText, baseLen := s.text(base)
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
	s := newScratch()
	defer C.free(s.block)
	var e C.es_error
	var reader *C.es_reader
	pathText, pathLen := s.text(path)
	must(C.es_open_sealed_run(pathText, pathLen, nil, &reader, &e), &e)
	defer C.es_free_reader(reader)
	printEntries(reader)

	var client, venue C.uint64_t
	key, keyLen := s.text("ZÜRICH-0077")
	must(C.es_lookup(reader, C.ES_INDEX_CLIENT_ORDER_ID, key, keyLen, &client, &e), &e)
	key, keyLen = s.text("V-0150")
	must(C.es_lookup(reader, C.ES_INDEX_VENUE_ORDER_ID, key, keyLen, &venue, &e), &e)
	fmt.Printf("lookup ZÜRICH-0077 %d V-0150 %d\n", client, venue)

	var anchor C.es_anchor
	var needed C.size_t
	must(C.es_get_anchor(reader, &anchor, C.sizeof_es_anchor, s.block, arenaBytes, &needed, &e), &e)
	fmt.Printf("anchor %d %s\n", anchor.high_watermark, C.GoString(anchor.blob_ref.data))
	fmt.Println(refused)
}
