/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of weir's own words, and what can be said against them.
 */

#include "core/settings.h"
#include "base/mem.h"
#include "core/node.h"
#include "core/secret.h"

static const struct conf_word no_words[] = {{.name = NULL}};

static const struct conf_word node_args[] = {
    {.name = "NAME",
     .type = CONF_NAME,
     .offset = offsetof(struct node_conf, name),
     .doc = "What the node is called, by --node and on every page."},
    {.name = "ADDRESS",
     .type = CONF_IP,
     .offset = offsetof(struct node_conf, addr),
     .doc = "An address that this node alone has; it tells which node a machine is."},
    {.name = "MORE",
     .type = CONF_IP,
     .flags = CONF_OPTIONAL | CONF_REPEAT,
     .offset = offsetof(struct node_conf, addrs),
     .doc = "Its addresses in further nets, over which peers may reach it as well."},
    {.name = NULL},
};

static const struct conf_block node_block = {
    .size = sizeof(struct node_conf), .args = node_args, .words = no_words};

static const struct conf_word nodes_words[] = {
    {.name = "NAME",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT | CONF_ANY_NAME,
     .offset = offsetof(struct nodes_conf, list),
     .block = &node_block,
     .doc = "One machine."},
    {.name = NULL},
};

static const struct conf_block nodes_block = {
    .size = sizeof(struct nodes_conf), .args = no_words, .words = nodes_words};

static const struct conf_word entry_args[] = {
    {.name = "KIND",
     .type = CONF_NAME,
     .offset = offsetof(struct processes_entry, name),
     .doc = "A kind of process."},
    {.name = "LOOPS",
     .type = CONF_COUNT,
     .offset = offsetof(struct processes_entry, n_loops),
     .min = 1,
     .max = BOARD_LOOPS_MAX,
     .doc = "How many threads it runs; auto is one a core."},
    {.name = NULL},
};

static const struct conf_block entry_block = {
    .size = sizeof(struct processes_entry), .args = entry_args, .words = no_words};

static const struct conf_word processes_words[] = {
    {.name = "KIND",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT | CONF_ANY_NAME,
     .offset = offsetof(struct processes_conf, list),
     .block = &entry_block,
     .apply = CONF_RESTART,
     .doc = "The loops of one kind of process."},
    {.name = NULL},
};

static const struct conf_block processes_block = {
    .size = sizeof(struct processes_conf), .args = no_words, .words = processes_words};

static const struct conf_choice levels[] = {
    {.name = "debug", .value = LOG_LEVEL_DEBUG, .doc = "Everything, for looking at weir itself."},
    {.name = "info", .value = LOG_LEVEL_INFO, .doc = "Starts, reloads, what changes its state."},
    {.name = "warn", .value = LOG_LEVEL_WARN, .doc = "What somebody should look at."},
    {.name = "error", .value = LOG_LEVEL_ERROR, .doc = "What does not work."},
    {.name = NULL},
};

static const struct conf_choice formats[] = {
    {.name = "text", .value = LOG_FORMAT_TEXT, .doc = "A line a person reads."},
    {.name = "json", .value = LOG_FORMAT_JSON, .doc = "A JSON object a line."},
    {.name = NULL},
};

static const struct conf_choice cgroups[] = {
    {.name = "auto", .value = SETTINGS_CGROUP_AUTO, .doc = "Where weir's own was delegated to it."},
    {.name = "off", .value = SETTINGS_CGROUP_OFF, .doc = "None are made."},
    {.name = NULL},
};

static const struct conf_word log_words[] = {
    {.name = "level",
     .type = CONF_CHOICE,
     .offset = offsetof(struct log_conf, level),
     .fallback = "info",
     .choices = levels,
     .doc = "The least important line that is written."},
    {.name = "format",
     .type = CONF_CHOICE,
     .offset = offsetof(struct log_conf, format),
     .fallback = "text",
     .choices = formats,
     .doc = "How a line looks."},
    {.name = NULL},
};

static const struct conf_block log_block = {
    .size = sizeof(struct log_conf), .args = no_words, .words = log_words};

enum { SECOND = 1000, HOUR = 3600 * SECOND };

/* clang-format off */
#define PLANNED(word, sentence) \
    {.name = (word), .type = CONF_BLOCK, .flags = CONF_PLANNED, .doc = (sentence)}
/* clang-format on */

static const struct conf_word words[] = {
    {.name = "nodes",
     .type = CONF_BLOCK,
     .offset = offsetof(struct settings, nodes),
     .block = &nodes_block,
     .doc = "The machines that share this file, and which addresses each of them has."},
    {.name = "state",
     .type = CONF_PATH,
     .offset = offsetof(struct settings, state),
     .apply = CONF_RESTART,
     .doc = "The folder of what must survive a restart; --state and WEIR_STATE go before it, "
            "and " SETTINGS_STATE_DEFAULT " is what is used without any."},
    {.name = "state-room",
     .type = CONF_SIZE,
     .offset = offsetof(struct settings, state_room_bytes),
     .fallback = "64M",
     .max = INT64_C(1) << 50,
     .doc = "With less than so much free in the state directory the node counts as short of disk: "
            "the fact disk:state is failed, and a floating address is better off elsewhere."},
    {.name = "processes",
     .type = CONF_BLOCK,
     .offset = offsetof(struct settings, processes),
     .block = &processes_block,
     .apply = CONF_RESTART,
     .doc = "How many loops, each a thread, a kind of process runs."},
    {.name = "log",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct settings, log),
     .block = &log_block,
     .doc = "What is written to standard error."},
    {.name = "user",
     .type = CONF_NAME,
     .offset = offsetof(struct settings, user),
     .apply = CONF_RESTART,
     .doc = "Whom the processes become when weir is started as root; weir where there is such a "
            "user, nobody otherwise."},
    {.name = "secret-file",
     .type = CONF_PATH,
     .offset = offsetof(struct settings, secret_file),
     .doc = "What all nodes derive their keys from (sticky cookies, TLS tickets, beats between "
            "nodes): one secret a "
            "line, at least 32 random bytes as hexadecimal digits, base64 or text. What is new is "
            "made with the first, the others are still accepted, up to 4 in all. Without it a "
            "node keeps a secret of its own in the state directory."},
    {.name = "watchdog",
     .type = CONF_TIME,
     .offset = offsetof(struct settings, watchdog_ms),
     .fallback = "5s",
     .min = 1 * SECOND,
     .max = HOUR,
     .doc = "A process with a loop that is silent for so long is killed and started again."},
    {.name = "start-timeout",
     .type = CONF_TIME,
     .offset = offsetof(struct settings, start_timeout_ms),
     .fallback = "30s",
     .min = 1 * SECOND,
     .max = HOUR,
     .doc = "How long a process may take from its start until it is ready to serve."},
    {.name = "reload-timeout",
     .type = CONF_TIME,
     .offset = offsetof(struct settings, reload_timeout_ms),
     .fallback = "10s",
     .min = 1 * SECOND,
     .max = HOUR,
     .doc =
         "How long the processes may take to prepare a new configuration, and to go over to it."},
    {.name = "stop-timeout",
     .type = CONF_TIME,
     .offset = offsetof(struct settings, stop_timeout_ms),
     .fallback = "30s",
     .max = HOUR,
     .doc = "How long a stop waits for what is under way."},
    {.name = "upgrade-timeout",
     .type = CONF_TIME,
     .offset = offsetof(struct settings, upgrade_timeout_ms),
     .fallback = "60s",
     .min = 1 * SECOND,
     .max = 240 * SECOND, /* admin waits for an answer no longer than 5 minutes */
     .doc = "How long an upgrade may take until the processes of the new binary are ready; then it "
            "is given up and nothing has changed."},
    {.name = "upgrade-drain",
     .type = CONF_TIME,
     .offset = offsetof(struct settings, upgrade_drain_ms),
     .fallback = "1h",
     .max = 168 * HOUR,
     .doc = "How long the processes of the former binary may take to finish what they have behind "
            "an upgrade: long downloads, tunnels. What is left then is cut."},
    {.name = "cgroup",
     .type = CONF_CHOICE,
     .offset = offsetof(struct settings, cgroup),
     .fallback = "auto",
     .apply = CONF_RESTART,
     .choices = cgroups,
     .doc = "Whether each program of a job gets a control group (version 2), which bounds all of "
            "its processes together by the `limits` of its worker. It needs root, and a group that "
            "was delegated to weir, as Delegate= in its unit does; the log says what there is. It "
            "binds "
            "a program against its will only where the worker has a `user`: others are whom weir's "
            "processes are, and may change it."},
    PLANNED("store", "A store for sessions."),
    PLANNED("postgres", "A router for PostgreSQL."),
    {.name = NULL},
};

/* --- checks ----------------------------------------------------------------------------------- */

/* Of two nodes, or of one that says the same twice (`a` and `b` are it): nth is b's. */
static int check_addr(const struct node_conf *a, const struct node_conf *b, size_t nth,
                      struct conf_load *load)
{
    const struct conf_addr *addr = node_addr(b, nth);
    size_t n = a == b ? nth : node_n_addrs(a);
    for (size_t i = 0; i < n; i++) {
        if (!addr_equal(&node_addr(a, i)->addr, &addr->addr))
            continue;
        if (a == b)
            return conf_error(load->diag, addr->at, NULL, "node %.*s has this address twice",
                              SLICE_ARG(b->name));
        return conf_error(load->diag, addr->at, NULL, "node %.*s has the same address",
                          SLICE_ARG(a->name));
    }
    return 0;
}

static int check_nodes(const struct nodes_conf *nodes, struct conf_load *load)
{
    int result = 0;
    if (nodes->list.n_items > NODES_MAX)
        result = conf_error(load->diag, conf_where(&nodes->object, "nodes"), NULL,
                            "more than %d nodes", NODES_MAX);
    for (size_t i = 0; i < nodes->list.n_items; i++) {
        const struct node_conf *node = nodes->list.items[i];
        if (node_n_addrs(node) > NODE_ADDRS_MAX)
            result =
                conf_error(load->diag, node->addr.at, NULL, "node %.*s has more than %d addresses",
                           SLICE_ARG(node->name), NODE_ADDRS_MAX);
        for (size_t nth = 0; nth < node_n_addrs(node); nth++)
            for (size_t k = 0; k <= i; k++)
                if (check_addr(nodes->list.items[k], node, nth, load) < 0)
                    result = -1;
    }
    return result;
}

/* Can any module of this kind run several loops? -1: there is no such kind. */
static int kind_has_loops(const struct module_table *table, struct slice kind)
{
    int result = -1;
    for (size_t i = 0; i < table->n_items; i++) {
        const struct module *module = table->items[i];
        if (!module->process || !slice_is(kind, module->process))
            continue;
        if (result < 0 || !module->has_loops)
            result = module->has_loops;
    }
    return result;
}

static int check_entry(const struct module_table *table, const struct processes_entry *entry,
                       struct conf_load *load)
{
    struct conf_at at = conf_where(&entry->object, NULL);
    int has_loops = kind_has_loops(table, entry->name);
    if (has_loops < 0) {
        const char *kinds[BOARD_SEGMENTS_MAX + 1] = {NULL};
        size_t n_kinds = module_processes(table, kinds, BOARD_SEGMENTS_MAX);
        /* Behind the supervisor, who is no process of this kind. */
        kinds[n_kinds] = NULL;
        return conf_unknown(load, &entry->object.stmt->tokens[0], kinds + 1, "processes");
    }
    if (!has_loops && entry->n_loops > 1)
        return conf_error(load->diag, at, "leave it out", "a process of kind %.*s runs one loop",
                          SLICE_ARG(entry->name));
    return 0;
}

static int settings_check(struct snapshot *snap, void *conf, struct conf_load *load)
{
    const struct settings *settings = conf;
    int result = 0;
    if (settings->nodes && check_nodes(settings->nodes, load) < 0)
        result = -1;
    if (!settings->processes)
        return result;
    for (size_t i = 0; i < settings->processes->list.n_items; i++) {
        if (check_entry(snap->table, settings->processes->list.items[i], load) < 0)
            result = -1;
    }
    return result;
}

static int settings_files(const struct snapshot *snap, file_want_fn *want, void *ctx)
{
    const struct settings *settings = settings_of(snap);
    if (settings->secret_file.len == 0)
        return 0;
    struct file_want secret = {.name = BLOB_SECRET,
                               .path = settings->secret_file,
                               .at = conf_where(&settings->object, "secret-file"),
                               .max_bytes = SECRET_FILE_BYTES,
                               .is_secret = true,
                               .check = secrets_check};
    return want(ctx, &secret);
}

/* Who derives keys from the secret. */
static const char *const secret_kinds[] = {"edge", "dns", "peer", "queue", NULL};

static const struct fact_kind fact_kinds[] = {
    {.name = "process",
     .rule = FACT_KEEP,
     .patience_ms = 2000,
     .doc = "a process of weir: up, down until it is started again, failed where it dies again and "
            "again; the value counts its restarts"},
    {.name = "former",
     .rule = FACT_KEEP,
     .patience_ms = 2000,
     .doc = "a process of the binary before an upgrade, which finishes what it has; the value is "
            "its process id"},
    {.name = NULL},
};

static const struct metric_def log_defs[] = {
    {.name = "dropped",
     .type = METRIC_COUNTER,
     .word = LOG_DROPPED,
     .help = "Log records dropped because their ring was full, of all processes."},
    {.name = NULL},
};

const struct metric_table log_metrics = {.name = "log", .n_words = LOG_WORDS, .defs = log_defs};

static const struct metric_def upgrade_defs[] = {
    {.name = "done",
     .type = METRIC_COUNTER,
     .word = UPGRADE_DONE,
     .help = "Upgrades behind which the new binary serves."},
    {.name = "refused",
     .type = METRIC_COUNTER,
     .word = UPGRADE_REFUSED,
     .help = "Upgrades that were given up; nothing had changed."},
    {.name = "cut",
     .type = METRIC_COUNTER,
     .word = UPGRADE_CUT,
     .help = "Processes of a former binary that had not finished within upgrade-drain."},
    {.name = NULL},
};

const struct metric_table upgrade_metrics = {
    .name = "upgrade", .n_words = UPGRADE_WORDS, .defs = upgrade_defs};

static const struct metric_table *const metrics[] = {&log_metrics, &upgrade_metrics, NULL};

const struct module settings_module = {
    .name = "weir",
    .doc = "what belongs to no part but to weir itself",
    .words = words,
    .conf_size = sizeof(struct settings),
    .check = settings_check,
    .files = settings_files,
    .files_for = secret_kinds,
    .fact_kinds = fact_kinds,
    .metrics = metrics,
};

/* --- what they mean --------------------------------------------------------------------------- */

const struct settings *settings_of(const struct snapshot *snap)
{
    for (size_t i = 0; i < snap->table->n_items; i++) {
        if (snap->table->items[i] == &settings_module)
            return snap->conf[i];
    }
    return NULL;
}

uint32_t settings_loops(const struct snapshot *snap, const char *kind, uint32_t n_cores)
{
    const struct settings *settings = settings_of(snap);
    int64_t n_loops = 0;
    if (settings && settings->processes) {
        for (size_t i = 0; i < settings->processes->list.n_items; i++) {
            const struct processes_entry *entry = settings->processes->list.items[i];
            if (slice_is(entry->name, kind))
                n_loops = entry->n_loops;
        }
    }
    if (kind_has_loops(snap->table, slice_from(kind)) != 1)
        return 1;
    if (n_loops == 0)
        n_loops = n_cores;
    return n_loops > BOARD_LOOPS_MAX ? BOARD_LOOPS_MAX : (uint32_t)n_loops;
}
