/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

/*
 * What the words mean: rows of tables. A module describes its part of the file by rows (struct
 * conf_word); conf_load() walks the tree of statements beside the rows and fills plain C structs by
 * offset. The parser, the reference in weir.conf(5), `weir check --full` and the messages all come
 * from these rows; nothing is said twice.
 *
 * A statement reads as a sentence: its word, its positional values, then further words with their
 * values, in any order, on the line or in a block behind it. Both forms mean the same:
 *
 *     check http path /healthz every 2s          check http { path /healthz; every 2s }
 *
 *     word   = check            (a row of type CONF_BLOCK)
 *     args   = http             (conf_block.args: positional, by order)
 *     words  = path, every      (conf_block.words: by name; a word that itself is a block may stand
 *                                on the line as well, as `retry 8 backoff 10s..1h`: an inner word
 *                                takes what it knows, what it does not know goes to the outer one)
 *
 * Every struct that a block fills begins with a struct conf_object, which keeps the statement, and
 * with it the place of each of its words, for life: conf_where(object, "every") is what a message
 * at run time quotes. Its name is the value of the argument whose row is named "name" (or
 * "NAME": the case of argument names is a matter of taste), or else of the word of that name, or
 * else empty; for a word with CONF_ANY_NAME it is that word.
 *
 * `defaults { pool { ... } }` supplies words that a pool does not set itself, for every block at
 * the top that may repeat, wherever in the file it stands. A word is supplied whole (a pool with a
 * check of its own takes nothing of the check in defaults), but for the blocks that are embedded
 * (CONF_EMBED) and have no positional values (timeout, limits), whose words are supplied one by
 * one. Such a block may also be written in several statements (`timeout headers 5s` and `timeout
 * response 30s`).
 *
 * Types and the C member at `offset` (text is NUL-terminated and lives in the snapshot's arena):
 *
 *     CONF_FLAG      (no value)                    bool
 *     CONF_INT       8                             int64_t, within min..max
 *     CONF_INTS      8 | 2..8                      struct conf_range, both within min..max
 *     CONF_COUNT     8 | auto                      int64_t, auto is 0
 *     CONF_NAME      [A-Za-z0-9_][A-Za-z0-9_.-]*   struct slice, at most 63 bytes
 *     CONF_STRING    any word or "quoted"          struct slice
 *     CONF_PATH      a path                        struct slice, relative ones made absolute by
 *                                                  the folder of the file that names them
 *     CONF_CHOICE    one of conf_word.choices      int
 *     CONF_ADDR      10.0.0.1:80 [::1]:80 unix:/p  struct conf_addr, host empty
 *     CONF_ENDPOINT  the same or host.name:80      struct conf_addr, host set where it is a name
 *     CONF_IP        10.0.0.1 ::1                  struct conf_addr, port 0
 *     CONF_NET       10.0.0.0/8                    struct addr_net
 *     CONF_IP_IN     10.0.0.9/8                    struct conf_ip_in, an address in its network
 *     CONF_STATUS    200                           int64_t, 100..599
 *     CONF_STATUSES  200 | 200..399                struct conf_range
 *     CONF_TIME      250ms 2s 5m 1h 7d             int64_t, milliseconds, within min..max
 *     CONF_PERIOD    250ms | auto                  the same, auto is 0
 *     CONF_TIMES     10s..1h                       struct conf_range, milliseconds
 *     CONF_SIZE      64k 256M 2G 512               int64_t, bytes
 *     CONF_RATE      10/s 5/m                      struct conf_rate
 *     CONF_PERCENT   50%                           int64_t, 0..100, or min..max
 *     CONF_REF       the name of something else    struct conf_ref; its target is found in check()
 *     CONF_BLOCK     a struct of its own           see conf_word.block
 *     CONF_CUSTOM    a sentence of its own         conf_word.custom reads the statement
 */

#include "base/addr.h"
#include "base/arena.h"
#include "base/slice.h"
#include "base/text.h"
#include "conf/diag.h"
#include "conf/tree.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_type {
    CONF_FLAG,
    CONF_INT,
    CONF_INTS,
    CONF_COUNT,
    CONF_NAME,
    CONF_STRING,
    CONF_PATH,
    CONF_CHOICE,
    CONF_ADDR,
    CONF_ENDPOINT,
    CONF_IP,
    CONF_NET,
    CONF_IP_IN,
    CONF_STATUS,
    CONF_STATUSES,
    CONF_TIME,
    CONF_PERIOD,
    CONF_TIMES,
    CONF_SIZE,
    CONF_RATE,
    CONF_PERCENT,
    CONF_REF,
    CONF_BLOCK,
    CONF_CUSTOM,
    CONF_N_TYPES
};

/* When a changed value takes effect. */
enum conf_apply {
    CONF_LIVE,    /* at `weir reload` */
    CONF_RESTART, /* at the next start; a reload that changes it is refused, and says so */
};

struct conf_addr {
    struct addr addr;  /* len 0 where host is a name */
    struct slice host; /* a host name to resolve, or empty */
    uint16_t port;
    struct slice text; /* as written */
    struct conf_at at;
};

/* An address of an interface: the bits behind the prefix are its own. */
struct conf_ip_in {
    struct conf_addr ip; /* its text has the length too */
    uint8_t n_bits;      /* 1..32 or 1..128 */
};

struct conf_range {
    int64_t low, high;
};

struct conf_rate {
    int64_t count;
    int64_t per_ms;
};

struct conf_ref {
    struct slice name; /* empty: not given */
    struct conf_at at;
};

/* The head of every struct that a block fills. */
struct conf_object {
    const struct conf_stmt *stmt; /* the first that set it; NULL where all is default */
    struct slice name;            /* as said above, or empty */
    struct conf_at at;            /* its word; where all is default that of the block around it */
    struct conf_places *places;   /* the loader's own: where each of its words stands */
};

/* A list that a CONF_REPEAT word fills, in the order of the file; items are pointers to structs,
 * and for words that are no blocks to the C type of the table above. */
struct conf_list {
    void **items;
    size_t n_items;
};

struct conf_choice {
    const char *name;
    int value;
    const char *doc;
    bool is_planned; /* known to the language, not built yet: refused by name */
};

struct conf_block;
struct conf_load;
struct conf_section;
struct conf_places;

enum {
    CONF_REQUIRED = 1 << 0, /* missing is an error */
    CONF_REPEAT = 1 << 1,   /* may stand several times; the member is a struct conf_list */
    /* CONF_BLOCK: the struct lies at offset itself, defaults filled in when the word is absent;
     * without it the member is a pointer, NULL when absent. */
    CONF_EMBED = 1 << 2,
    CONF_PLANNED = 1 << 3, /* known to the language, not built yet: refused by name */
    /* A positional value that may be missing; only the last ones. Where the block's has_word() says
     * that a struct has no such value, what stands there is no value but a word. With CONF_REPEAT
     * it
     * is a list of all that follow up to a word of the block; the last one alone. */
    CONF_OPTIONAL = 1 << 4,
    CONF_ANY_NAME = 1 << 5, /* the row's word is whatever stands there (nodes { a ...; b ... }); the
                               block's first argument is that word itself */
    /* CONF_STRING, the only positional value of a block: it has spaces as a rule, so that words
     * behind it which nobody knows are told as quotes that are missing. */
    CONF_SENTENCE = 1 << 6,
};

/*
 * Reads a statement whose grammar is its own (route). `self` is the struct of the enclosing block.
 * Returns 0, or -1 after it has told load->diag.
 */
typedef int conf_custom_fn(struct conf_load *load, const struct conf_stmt *stmt, void *self);

struct conf_word {
    const char *name;
    enum conf_type type;
    unsigned flags;
    size_t offset;        /* of the member, in the struct of the block in which this word stands */
    const char *fallback; /* the default, as it would be written; NULL: none */
    int64_t min, max;     /* for numbers, times and sizes; both 0: no bound but the type's */
    const struct conf_choice *choices; /* CONF_CHOICE; ends with a NULL name */
    const struct conf_block *block;    /* CONF_BLOCK */
    conf_custom_fn *custom;            /* CONF_CUSTOM */
    const char *usage; /* CONF_CUSTOM: the sentence's form, for messages and the manual */
    enum conf_apply apply;
    const char *doc; /* one line for weir.conf(5) */
};

struct conf_block {
    size_t size; /* of the struct */
    const struct conf_word
        *args; /* positional values; names are for messages. Ends with NULL name */
    const struct conf_word *words; /* ends with a NULL name; may be NULL */
    /* Looks at one filled struct alone: words that exclude each other, bounds that depend. May be
     * NULL. */
    int (*finish)(struct conf_load *load, void *self);
    /* Does the word mean anything in this struct (path in a tcp check does not)? conf_print_full()
     * leaves out what does not, as finish() would refuse it. NULL: all of them do. */
    bool (*has_word)(const void *self, const struct conf_word *word);
};

/* One module's words at the top of the file, and the struct that they fill. */
struct conf_section {
    const char *module;            /* for the manual */
    const struct conf_word *words; /* ends with a NULL name */
    void *self; /* zeroed, begins with a struct conf_object; offsets are into this */
};

/* What the loader and the callbacks work with. */
struct conf_load {
    struct arena *arena;
    struct conf_diag *diag;
    const struct conf_files *files;
    /* Set by conf_load() itself. */
    const struct conf_section *sections;
    size_t n_sections;
};

/*
 * Fills the sections from a tree. Mistakes go to load->diag, all of them. Words that repeat without
 * CONF_REPEAT, names given twice within one list, unknown words (with "did you mean"), values out
 * of range, missing ones are found here; references between modules are checked by the modules.
 * Returns 0, or -1 when there was an error; the structs then hold what could be read, and finish()
 * was called only for those without a mistake.
 */
int conf_load(struct conf_load *load, const struct conf_stmt *root,
              const struct conf_section *sections, size_t n_sections);

/* The place of the word or of the positional value `name` in an object, also where `defaults` set
 * it, or of the object's own word where it is absent. */
struct conf_at conf_where(const struct conf_object *object, const char *name);

/* Was the word or positional value written in the file, or is its value the default (false)? */
bool conf_is_set(const struct conf_object *object, const char *name);

/*
 * One value from one token, as the rows do it, for custom sentences: fills *ret_value with the C
 * type that the table at the top names. Returns 0, or -1 after it has told load->diag.
 */
int conf_value(struct conf_load *load, const struct conf_word *word, const struct conf_token *token,
               void *ret_value);

/* Reports an unknown word, with the nearest of `names` (ends with NULL) as a hint. Returns -1. */
int conf_unknown(struct conf_load *load, const struct conf_token *token, const char *const *names,
                 const char *where);

/* The whole configuration, every default written out (`weir check --full`). */
void conf_print_full(const struct conf_section *sections, size_t n_sections,
                     const struct conf_stmt *root, struct text *out);

/* The reference: every row with its type, range, default and sentence, as mdoc for weir.conf(5). */
void conf_print_manual(const struct conf_section *sections, size_t n_sections, struct text *out);

#endif
