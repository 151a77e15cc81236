/* Tests json_line.h: each line against the fields it means, or the place and reason it is refused. */
#include "json_line.h"

#include <stdio.h>
#include <stdlib.h>

static int failures;

/* A copy of exactly that size, so that valgrind and AddressSanitizer see a read past the end. */
static char *copy_of(const char *text, size_t len) {
    char *copy = (char *)malloc(len == 0 ? 1 : len);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, text, len);
    return copy;
}

/* The one string of {"s":"..."} must come out as those bytes. */
static void means(const char *text, const char *bytes, size_t bytes_len) {
    char *line = copy_of(text, strlen(text));
    json_field fields[4];
    json_line reader;
    size_t count;
    if (json_read_line(&reader, line, strlen(text), fields, 4, &count) != 0) {
        printf("FAILED: %s refused at %zu: %s\n", text, reader.at, reader.problem);
        failures += 1;
    } else if (count != 1 || fields[0].kind != JSON_STRING || fields[0].text_len != bytes_len ||
               memcmp(fields[0].text, bytes, bytes_len) != 0) {
        printf("FAILED: %s read as %zu bytes %.*s\n", text, fields[0].text_len,
               (int)fields[0].text_len, fields[0].text);
        failures += 1;
    }
    free(line);
}

static void is_number(const char *text, uint64_t number) {
    char *line = copy_of(text, strlen(text));
    json_field fields[4];
    json_line reader;
    size_t count;
    if (json_read_line(&reader, line, strlen(text), fields, 4, &count) != 0 || count != 1 ||
        fields[0].kind != JSON_NUMBER || fields[0].number != number) {
        printf("FAILED: %s is not %llu\n", text, (unsigned long long)number);
        failures += 1;
    }
    free(line);
}

static void is_refused(const char *text, size_t at, const char *problem) {
    char *line = copy_of(text, strlen(text));
    json_field fields[4];
    json_line reader;
    size_t count;
    if (json_read_line(&reader, line, strlen(text), fields, 4, &count) == 0) {
        printf("FAILED: %s accepted\n", text);
        failures += 1;
    } else if (reader.at != at || strcmp(reader.problem, problem) != 0) {
        printf("FAILED: %s refused at %zu: %s; expected %zu: %s\n", text, reader.at,
               reader.problem, at, problem);
        failures += 1;
    }
    free(line);
}

/* A cut at any byte of a good line is refused, and read no further than the cut. */
static void is_refused_when_cut(const char *text) {
    size_t len;
    for (len = 0; len < strlen(text); len++) {
        char *line = copy_of(text, len);
        json_field fields[4];
        json_line reader;
        size_t count;
        if (json_read_line(&reader, line, len, fields, 4, &count) == 0 || reader.at > len) {
            printf("FAILED: %.*s accepted, or read past its end\n", (int)len, text);
            failures += 1;
        }
        free(line);
    }
}

static void finds_fields_by_name(void) {
    const char *text = " { \"ts\" : 12 , \"none\" : null,\"topic\":\"a\" } \n";
    char *line = copy_of(text, strlen(text));
    json_field fields[4];
    json_line reader;
    size_t count;
    const json_field *ts;
    const json_field *none;
    const json_field *topic;
    if (json_read_line(&reader, line, strlen(text), fields, 4, &count) != 0 || count != 3) {
        printf("FAILED: three fields\n");
        failures += 1;
        goto done;
    }
    ts = json_find(fields, count, "ts");
    none = json_find(fields, count, "none");
    topic = json_find(fields, count, "topic");
    if (ts == NULL || ts->number != 12 || none == NULL || none->kind != JSON_NULL ||
        topic == NULL || topic->text_len != 1 || topic->text[0] != 'a' ||
        json_find(fields, count, "t") != NULL) {
        printf("FAILED: fields by name\n");
        failures += 1;
    }
done:
    free(line);
}

int main(void) {
    means("{\"s\":\"\"}", "", 0);
    means("{\"s\":\"plain\"}", "plain", 5);
    means("{\"s\":\"{\\\"price\\\": \\\"1.5\\\"}\"}", "{\"price\": \"1.5\"}", 16);
    means("{\"s\":\"\\\\ \\/ \\b\\f\\n\\r\\t\"}", "\\ / \b\f\n\r\t", 9);
    means("{\"s\":\"\\u0041\\u00e9\\u20AC\"}", "A\xc3\xa9\xe2\x82\xac", 6);
    means("{\"s\":\"\\uD83D\\uDE00!\"}", "\xf0\x9f\x98\x80!", 5);
    means("{\"s\":\"\\ud800\\udc00\\udbff\\udfff\"}", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8);
    means("{\"s\":\"a\\u0000b\"}", "a\0b", 3);
    means("{\"s\":\"\xc3\xa9 stays\"}", "\xc3\xa9 stays", 8);
    is_number("{\"n\":0}", 0);
    is_number("{\"n\":1430438404518000000}", UINT64_C(1430438404518000000));
    is_number("{\"n\":18446744073709551615}", UINT64_MAX);
    finds_fields_by_name();

    is_refused("", 0, "expected '{'");
    is_refused("[]", 0, "expected '{'");
    is_refused("{", 1, "expected a string");
    is_refused("{\"a\"}", 4, "expected ':'");
    is_refused("{\"a\":}", 5, "expected a string, an unsigned integer or null");
    is_refused("{\"a\":1,}", 7, "expected a string");
    is_refused("{\"a\":1 \"b\":2}", 7, "expected ',' or '}'");
    is_refused("{\"a\":1}x", 7, "more after the object");
    is_refused("{\"a\":1}{}", 7, "more after the object");
    is_refused("{\"a\":1,\"a\":2}", 10, "the name was there before");
    is_refused("{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}", 25, "too many fields");
    is_refused("{\"a\":nul}", 5, "expected a string, an unsigned integer or null");
    is_refused("{\"a\":true}", 5, "expected a string, an unsigned integer or null");
    is_refused("{\"a\":-1}", 5, "expected a string, an unsigned integer or null");
    is_refused("{\"a\":{}}", 5, "expected a string, an unsigned integer or null");
    is_refused("{\"a\":1.5}", 6, "expected ',' or '}'");
    is_refused("{\"a\":1e3}", 6, "expected ',' or '}'");
    is_refused("{\"a\":01}", 5, "number with a leading zero");
    is_refused("{\"a\":18446744073709551616}", 24, "number above 18446744073709551615");
    is_refused("{\"a\":\"x", 7, "the string does not end");
    is_refused("{\"a\":\"x\ny\"}", 7, "control character in a string");
    is_refused("{\"a\":\"\\x\"}", 7, "unknown escape");
    is_refused("{\"a\":\"\\", 7, "unknown escape");
    is_refused("{\"a\":\"\\u12G4\"}", 10, "expected four hex digits");
    is_refused("{\"a\":\"\\u12", 10, "expected four hex digits");
    is_refused("{\"a\":\"\\ud800\"}", 12, "high surrogate without a low one");
    is_refused("{\"a\":\"\\ud800\\n\"}", 13, "high surrogate without a low one");
    is_refused("{\"a\":\"\\ud800\\u0041\"}", 18, "high surrogate without a low one");
    is_refused("{\"a\":\"\\udc00\"}", 12, "low surrogate without a high one");
    is_refused_when_cut("{\"ts\":12,\"n\":null,\"s\":\"a\\u20ac\\ud83d\\ude00\\n\"}");

    if (failures == 0) {
        printf("json_line: all tests passed\n");
    }
    return failures == 0 ? 0 : 1;
}
