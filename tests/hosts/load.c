/* dlopen and dlclose in a loop, with all freed and with a run open: the library stays loaded, once,
 * and what was opened goes on.
 *
 * usage: load BASE SIZE LIBRARY     (not linked to the library)
 */
#include "host.h"

#include <dlfcn.h>

static const char *library_path;

/* The functions of one dlopen. */
typedef struct library {
    void *handle;
    __typeof__(es_open_run) *open_run;
    __typeof__(es_submit) *submit;
    __typeof__(es_wait_durable) *wait_durable;
    __typeof__(es_close_run) *close_run;
    __typeof__(es_get_run_state) *get_run_state;
    __typeof__(es_free_run) *free_run;
} library;

static void find(void *handle, const char *name, void *function) {
    void *found = dlsym(handle, name);
    CHECK(found != NULL);
    memcpy(function, &found, sizeof found);
}

static library load(void) {
    library lib;
    lib.handle = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
    if (lib.handle == NULL) printf("%s\n", dlerror());
    CHECK(lib.handle != NULL);
    find(lib.handle, "es_open_run", &lib.open_run);
    find(lib.handle, "es_submit", &lib.submit);
    find(lib.handle, "es_wait_durable", &lib.wait_durable);
    find(lib.handle, "es_close_run", &lib.close_run);
    find(lib.handle, "es_get_run_state", &lib.get_run_state);
    find(lib.handle, "es_free_run", &lib.free_run);
    return lib;
}

static void unload(const library *lib) {
    void *still;
    CHECK(dlclose(lib->handle) == 0);
    still = dlopen(library_path, RTLD_NOW | RTLD_NOLOAD);
    CHECK(still != NULL); /* "once loaded, the library stays loaded" */
    dlclose(still);
}

/* How many parts of the process's memory are the library's. */
static unsigned count_mappings(void) {
    char line[4400];
    unsigned count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) count += strstr(line, "libeventstore") != NULL;
    fclose(maps);
    return count;
}

static es_run *open_with(const library *lib, const char *run_id, uint32_t backend) {
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = patient();
    es_run *run = NULL;
    manifest.run_id.data = run_id;
    manifest.run_id.len = ES_NTS;
    manifest.instance_id.data = INSTANCE;
    manifest.instance_id.len = ES_NTS;
    options.backend = backend;
    MUST(lib->open_run(base, ES_NTS, &manifest, &options, &run, &err_));
    return run;
}

static uint64_t submit_with(const library *lib, es_run *run) {
    es_draft draft = draft_of("loaded", 6);
    uint64_t seq = 0;
    MUST(lib->submit(run, &draft, sizeof draft, NULL, &seq, &err_));
    return seq;
}

static void close_with(const library *lib, es_run *run, uint64_t entries) {
    es_close_result closed = ES_CLOSE_RESULT_INIT;
    MUST(lib->close_run(run, NULL, &closed, &err_));
    CHECK(closed.sealed == 1 && closed.high_watermark == entries + 1);
    lib->free_run(run);
}

static void with_all_freed(void) {
    unsigned number, mappings = 0;
    for (number = 0; number < scaled(200); number++) {
        library lib = load();
        char run_id[32];
        es_run *run;
        snprintf(run_id, sizeof run_id, "freed-%u", number);
        run = open_with(&lib, run_id, number % 10 == 0 ? ES_BACKEND_REDB : ES_BACKEND_MEMORY);
        submit_with(&lib, run);
        close_with(&lib, run, 1);
        unload(&lib);
        if (number == 0) mappings = count_mappings();
        CHECK(mappings > 0 && count_mappings() == mappings);
    }
    wait_for_writers();
}

/* The writer's thread works on while nobody has the library open. */
static void with_a_run_open(void) {
    library first = load(), lib = first;
    es_run *run = open_with(&first, "open", ES_BACKEND_REDB);
    unsigned number, loops = scaled(200);
    es_run_state state;
    for (number = 1; number <= loops; number++) {
        uint64_t deadline = now_ns() + 60ull * SECOND_NS;
        CHECK(submit_with(&lib, run) == number);
        unload(&lib);
        /* The code is where it was: the old pointers serve. */
        do {
            sleep_us(100);
            MUST(first.get_run_state(run, &state, sizeof state, &err_));
        } while (state.high_watermark < number && now_ns() < deadline);
        CHECK(state.high_watermark == number);
        lib = load();
        CHECK(lib.submit == first.submit);
        MUST(lib.wait_durable(run, number, ES_FOREVER, &err_));
    }
    close_with(&lib, run, loops);
    unload(&lib);
    wait_for_writers();
}

int main(int argc, char **argv) {
    if (!begin(argc, argv, 4)) return 2;
    library_path = argv[3];
    with_all_freed();
    with_a_run_open();
    return end("load");
}
