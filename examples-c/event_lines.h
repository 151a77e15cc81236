/* Events from JSON Lines files, one after the other, as drafts for the store.
 *
 * A line: {"ts":ns,"ts_recv":ns|null,"topic":str,"type":str,"client_order_id":str|null,
 * "venue_order_id":str|null,"payload":str}; other names are ignored. A file that ends in .zst is
 * read through `zstd -dc`; "-" is standard input, kept in a temporary file so that it can be read
 * twice. */
#ifndef EXAMPLE_EVENT_LINES_H
#define EXAMPLE_EVENT_LINES_H

#include <stdio.h>

#include "eventstore.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct event_lines {
    char **names; /* of the files */
    int name_count;
    int name_at;
    FILE *file;
    int is_pipe;
    FILE *spool; /* what came from standard input; NULL until then */
    char *line;
    size_t line_cap;
    uint64_t line_number;
    es_index_key keys[2];
} event_lines;

/* 1 with the next event, valid until the next call; 0 at the end of the last file; -1 with the
 * reason, file and line on stderr. Empty lines are skipped. */
int event_lines_next(event_lines *lines, es_draft *draft);

/* Back to the first event. */
void event_lines_rewind(event_lines *lines);

void event_lines_free(event_lines *lines);

#ifdef __cplusplus
}
#endif

#endif
