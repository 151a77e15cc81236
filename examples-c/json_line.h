/* Reads one line of JSON Lines: a flat object of strings, unsigned integers and nulls.
 *
 * Promise: strings come out as the bytes they mean, escapes resolved, surrogate pairs joined; what
 * is not such an object is refused with the place where it stops being one. It never allocates and
 * never reads past `len`: strings are decoded in place, since no escape is shorter than its bytes.
 * Not for it: nested values, fractions, negative numbers, true and false (refused), and whether
 * the text is valid UTF-8 (the store checks that). */
#ifndef EXAMPLE_JSON_LINE_H
#define EXAMPLE_JSON_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum json_kind { JSON_NULL = 0, JSON_STRING = 1, JSON_NUMBER = 2 };

typedef struct json_field {
    const char *name; /* inside the line, like `text`; neither is NUL-terminated */
    size_t name_len;
    const char *text;
    size_t text_len;
    uint64_t number;
    int kind;
} json_field;

typedef struct json_line {
    char *bytes;
    size_t len;
    size_t at;           /* after a refusal: the byte where it happened */
    const char *problem; /* after a refusal: what was wrong there */
} json_line;

static inline int json_refuse(json_line *line, const char *problem) {
    line->problem = problem;
    return -1;
}

static inline void json_skip_space(json_line *line) {
    while (line->at < line->len && (line->bytes[line->at] == ' ' || line->bytes[line->at] == '\t' ||
                                    line->bytes[line->at] == '\r' || line->bytes[line->at] == '\n')) {
        line->at += 1;
    }
}

/* 1 and past it when the next byte is `wanted`. */
static inline int json_take(json_line *line, char wanted) {
    if (line->at < line->len && line->bytes[line->at] == wanted) {
        line->at += 1;
        return 1;
    }
    return 0;
}

static inline int json_read_hex4(json_line *line, uint32_t *out) {
    uint32_t value = 0;
    int i;
    for (i = 0; i < 4; i++) {
        char c = line->at < line->len ? line->bytes[line->at] : '\0';
        if (c >= '0' && c <= '9') {
            value = value * 16 + (uint32_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            value = value * 16 + (uint32_t)(c - 'a') + 10;
        } else if (c >= 'A' && c <= 'F') {
            value = value * 16 + (uint32_t)(c - 'A') + 10;
        } else {
            return json_refuse(line, "expected four hex digits");
        }
        line->at += 1;
    }
    *out = value;
    return 0;
}

/* After "\u": one code point, from one escape or from a surrogate pair of two. */
static inline int json_read_code_point(json_line *line, uint32_t *out) {
    uint32_t low;
    if (json_read_hex4(line, out) != 0) {
        return -1;
    }
    if (*out >= 0xdc00 && *out <= 0xdfff) {
        return json_refuse(line, "low surrogate without a high one");
    }
    if (*out < 0xd800 || *out > 0xdbff) {
        return 0;
    }
    if (!json_take(line, '\\') || !json_take(line, 'u')) {
        return json_refuse(line, "high surrogate without a low one");
    }
    if (json_read_hex4(line, &low) != 0) {
        return -1;
    }
    if (low < 0xdc00 || low > 0xdfff) {
        return json_refuse(line, "high surrogate without a low one");
    }
    *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    return 0;
}

static inline size_t json_put_utf8(char *to, uint32_t point) {
    if (point < 0x80) {
        to[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        to[0] = (char)(0xc0 | point >> 6);
        to[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        to[0] = (char)(0xe0 | point >> 12);
        to[1] = (char)(0x80 | (point >> 6 & 0x3f));
        to[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | point >> 18);
    to[1] = (char)(0x80 | (point >> 12 & 0x3f));
    to[2] = (char)(0x80 | (point >> 6 & 0x3f));
    to[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

/* After the backslash. Writes at `to`, which is never past what has been read. */
static inline int json_read_escape(json_line *line, char *to, size_t *written) {
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    const char *name;
    uint32_t point;
    if (json_take(line, 'u')) {
        if (json_read_code_point(line, &point) != 0) {
            return -1;
        }
        *written = json_put_utf8(to, point);
        return 0;
    }
    name = line->at < line->len
               ? (const char *)memchr(names, line->bytes[line->at], sizeof names - 1)
               : NULL;
    if (name == NULL) {
        return json_refuse(line, "unknown escape");
    }
    line->at += 1;
    *to = bytes[name - names];
    *written = 1;
    return 0;
}

static inline int json_read_string(json_line *line, const char **text, size_t *text_len) {
    char *start;
    size_t used = 0;
    if (!json_take(line, '"')) {
        return json_refuse(line, "expected a string");
    }
    start = line->bytes + line->at;
    while (line->at < line->len) {
        char c = line->bytes[line->at];
        size_t written = 1;
        if ((unsigned char)c < 0x20) {
            return json_refuse(line, "control character in a string");
        }
        line->at += 1;
        if (c == '"') {
            *text = start;
            *text_len = used;
            return 0;
        }
        if (c != '\\') {
            start[used] = c;
        } else if (json_read_escape(line, start + used, &written) != 0) {
            return -1;
        }
        used += written;
    }
    return json_refuse(line, "the string does not end");
}

static inline int json_read_number(json_line *line, uint64_t *out) {
    size_t first = line->at;
    uint64_t value = 0;
    while (line->at < line->len && line->bytes[line->at] >= '0' && line->bytes[line->at] <= '9') {
        uint64_t digit = (uint64_t)(line->bytes[line->at] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return json_refuse(line, "number above 18446744073709551615");
        }
        value = value * 10 + digit;
        line->at += 1;
    }
    if (line->at == first) {
        return json_refuse(line, "expected a string, an unsigned integer or null");
    }
    if (line->bytes[first] == '0' && line->at - first > 1) {
        line->at = first;
        return json_refuse(line, "number with a leading zero");
    }
    *out = value;
    return 0;
}

static inline int json_read_value(json_line *line, json_field *field) {
    if (line->at < line->len && line->bytes[line->at] == '"') {
        field->kind = JSON_STRING;
        return json_read_string(line, &field->text, &field->text_len);
    }
    if (line->len - line->at >= 4 && memcmp(line->bytes + line->at, "null", 4) == 0) {
        line->at += 4;
        field->kind = JSON_NULL;
        return 0;
    }
    field->kind = JSON_NUMBER;
    return json_read_number(line, &field->number);
}

/* The field of that name, or NULL. */
static inline const json_field *json_find(const json_field *fields, size_t count,
                                          const char *name) {
    size_t name_len = strlen(name);
    size_t i;
    for (i = 0; i < count; i++) {
        if (fields[i].name_len == name_len && memcmp(fields[i].name, name, name_len) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static inline int json_read_field(json_line *line, json_field *fields, size_t count) {
    json_field *field = &fields[count];
    size_t i;
    memset(field, 0, sizeof *field);
    if (json_read_string(line, &field->name, &field->name_len) != 0) {
        return -1;
    }
    for (i = 0; i < count; i++) {
        if (fields[i].name_len == field->name_len &&
            memcmp(fields[i].name, field->name, field->name_len) == 0) {
            return json_refuse(line, "the name was there before");
        }
    }
    json_skip_space(line);
    if (!json_take(line, ':')) {
        return json_refuse(line, "expected ':'");
    }
    json_skip_space(line);
    return json_read_value(line, field);
}

/* Reads the `len` bytes at `bytes`, which it overwrites where escapes shrink. 0 with `count`
 * fields, whose names and texts stay valid as long as `bytes`; or -1 with `line->problem` and
 * `line->at`. */
static inline int json_read_line(json_line *line, char *bytes, size_t len, json_field *fields,
                                 size_t field_cap, size_t *count) {
    line->bytes = bytes;
    line->len = len;
    line->at = 0;
    line->problem = NULL;
    *count = 0;
    json_skip_space(line);
    if (!json_take(line, '{')) {
        return json_refuse(line, "expected '{'");
    }
    json_skip_space(line);
    if (!json_take(line, '}')) {
        do {
            if (*count == field_cap) {
                return json_refuse(line, "too many fields");
            }
            json_skip_space(line);
            if (json_read_field(line, fields, *count) != 0) {
                return -1;
            }
            *count += 1;
            json_skip_space(line);
        } while (json_take(line, ','));
        if (!json_take(line, '}')) {
            return json_refuse(line, "expected ',' or '}'");
        }
    }
    json_skip_space(line);
    return line->at == line->len ? 0 : json_refuse(line, "more after the object");
}

#endif
