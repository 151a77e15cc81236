#define _POSIX_C_SOURCE 200809L /* getline, popen */

#include "event_lines.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "json_line.h"

enum { FIELDS_MAX = 32 };

static int refuse(const event_lines *lines, const char *reason) {
    fprintf(stderr, "%s:%" PRIu64 ": %s\n", lines->names[lines->name_at], lines->line_number,
            reason);
    return -1;
}

static int ends_in_zst(const char *name) {
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".zst") == 0;
}

/* zstd -dc -- 'NAME', each quote in the name as '\'' */
static FILE *open_zstd(const char *name) {
    static const char start[] = "zstd -dc -- '";
    char *command = (char *)malloc(sizeof start + 4 * strlen(name) + 1);
    FILE *pipe;
    char *to;
    if (command == NULL) {
        return NULL;
    }
    memcpy(command, start, sizeof start - 1);
    to = command + sizeof start - 1;
    for (; *name != '\0'; name++) {
        if (*name == '\'') {
            memcpy(to, "'\\''", 4);
            to += 4;
        } else {
            *to = *name;
            to += 1;
        }
    }
    memcpy(to, "'", 2);
    pipe = popen(command, "r");
    free(command);
    return pipe;
}

static FILE *open_standard_input(event_lines *lines) {
    char block[65536];
    size_t len;
    if (lines->spool != NULL) {
        rewind(lines->spool);
        return lines->spool;
    }
    lines->spool = tmpfile();
    if (lines->spool == NULL) {
        return NULL;
    }
    while ((len = fread(block, 1, sizeof block, stdin)) > 0) {
        if (fwrite(block, 1, len, lines->spool) != len) {
            return NULL;
        }
    }
    if (ferror(stdin)) {
        return NULL;
    }
    rewind(lines->spool);
    return lines->spool;
}

static int open_next(event_lines *lines) {
    const char *name = lines->names[lines->name_at];
    lines->line_number = 0;
    lines->is_pipe = ends_in_zst(name);
    if (strcmp(name, "-") == 0) {
        lines->file = open_standard_input(lines);
    } else if (lines->is_pipe) {
        fflush(stdout); /* the child must not inherit text that is still to be written */
        lines->file = open_zstd(name);
    } else {
        lines->file = fopen(name, "r");
    }
    if (lines->file == NULL) {
        perror(name);
        return -1;
    }
    return 0;
}

static int close_file(event_lines *lines) {
    int failed = 0;
    if (lines->file == NULL || lines->file == lines->spool) {
        failed = 0;
    } else if (lines->is_pipe) {
        failed = pclose(lines->file) != 0 ? refuse(lines, "zstd failed") : 0;
    } else {
        failed = fclose(lines->file) != 0 ? refuse(lines, "close failed") : 0;
    }
    lines->file = NULL;
    return failed;
}

/* The next line that is not empty: 1, with its length; 0 at the very end; -1. */
static int next_line(event_lines *lines, size_t *len) {
    while (lines->file != NULL || lines->name_at < lines->name_count) {
        ssize_t got;
        if (lines->file == NULL && open_next(lines) != 0) {
            return -1;
        }
        got = getline(&lines->line, &lines->line_cap, lines->file);
        lines->line_number += 1;
        if (got > 1 || (got == 1 && lines->line[0] != '\n')) {
            *len = (size_t)got;
            return 1;
        }
        if (got < 0) {
            if (ferror(lines->file) || !feof(lines->file)) {
                return refuse(lines, "cannot be read");
            }
            if (close_file(lines) != 0) {
                return -1;
            }
            lines->name_at += 1;
        }
    }
    return 0;
}

static const json_field *text_field(const json_field *fields, size_t count, const char *name) {
    const json_field *field = json_find(fields, count, name);
    return field != NULL && field->kind == JSON_STRING ? field : NULL;
}

/* An id that is there becomes a key. */
static void add_key(event_lines *lines, es_draft *draft, const json_field *id, uint32_t kind) {
    es_index_key *key = &lines->keys[draft->key_count];
    if (id == NULL) {
        return;
    }
    memset(key, 0, sizeof *key);
    key->kind = kind;
    key->key = id->text;
    key->key_len = id->text_len;
    draft->keys = lines->keys;
    draft->key_count += 1;
}

int event_lines_next(event_lines *lines, es_draft *draft) {
    json_field fields[FIELDS_MAX];
    json_line reader;
    size_t count;
    size_t len = 0;
    const json_field *ts;
    const json_field *ts_recv;
    const json_field *topic;
    const json_field *type;
    const json_field *payload;
    int found = next_line(lines, &len);
    if (found != 1) {
        return found;
    }
    if (json_read_line(&reader, lines->line, len, fields, FIELDS_MAX, &count) != 0) {
        char reason[128];
        snprintf(reason, sizeof reason, "byte %zu: %s", reader.at + 1, reader.problem);
        return refuse(lines, reason);
    }
    ts = json_find(fields, count, "ts");
    ts_recv = json_find(fields, count, "ts_recv");
    topic = text_field(fields, count, "topic");
    type = text_field(fields, count, "type");
    payload = text_field(fields, count, "payload");
    if (ts == NULL || ts->kind != JSON_NUMBER || topic == NULL || type == NULL || payload == NULL) {
        return refuse(lines, "needs ts (a number), topic, type and payload (strings)");
    }
    memset(draft, 0, sizeof *draft);
    draft->ts_init = ts->number;
    draft->ts_publish = ts_recv != NULL && ts_recv->kind == JSON_NUMBER ? ts_recv->number : 0;
    draft->topic = topic->text;
    draft->topic_len = topic->text_len;
    draft->payload_type = type->text;
    draft->payload_type_len = type->text_len;
    draft->payload = payload->text;
    draft->payload_len = payload->text_len;
    add_key(lines, draft, text_field(fields, count, "client_order_id"), ES_INDEX_CLIENT_ORDER_ID);
    add_key(lines, draft, text_field(fields, count, "venue_order_id"), ES_INDEX_VENUE_ORDER_ID);
    return 1;
}

void event_lines_rewind(event_lines *lines) {
    if (lines->file != NULL) {
        (void)close_file(lines); /* cut short: what zstd says to the closed pipe is of no interest */
    }
    lines->name_at = 0;
    lines->line_number = 0;
}

void event_lines_free(event_lines *lines) {
    event_lines_rewind(lines);
    if (lines->spool != NULL) {
        fclose(lines->spool);
    }
    free(lines->line);
}
