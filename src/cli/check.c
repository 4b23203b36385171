/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weir check FILE: every mistake that a start could find. Without --node a file with nodes is
 * checked as each of them, and what this host lacks is a note only.
 */

#include "base/mem.h"
#include "cli/cli.h"
#include "core/disk.h"
#include "core/inspect.h"
#include "core/settings.h"
#include <stdio.h>
#include <stdlib.h>

static void print(FILE *out, const struct text *text)
{
    fwrite(text_cstr(text), 1, text->len, out);
}

/* The file as one node, or as whichever comes first. The mistakes are printed; 0 or -1. */
static int check_as(const struct command_env *env, const char *file, const char *node,
                    bool is_every_node, struct snapshot **ret_snap)
{
    struct conf_host disk = disk_host();
    struct conf_diag *diag;
    char *folder = disk_folder();
    const struct snapshot_options options = {
        .path = file,
        .host = &disk,
        .folder = folder,
        .node = node,
        .is_every_node = is_every_node,
        .generation = 1,
        .n_loops = 1,
    };
    int result = snapshot_load(env->table, &options, ret_snap, &diag);
    mem_free(folder);
    if (result == 0)
        result = inspect_machine(*ret_snap, is_every_node ? INSPECT_NOTE : INSPECT_ERROR, diag);
    struct text text = TEXT_NONE;
    if (diag->n_items > 0)
        conf_diag_print(diag, &text);
    print(stderr, &text);
    text_deinit(&text);
    return result;
}

/* The other nodes; what they say beyond the first is theirs alone. */
static int check_other_nodes(const struct command_env *env, const char *file,
                             const struct snapshot *first)
{
    const struct settings *settings = settings_of(first);
    int result = 0;
    if (!settings || !settings->nodes)
        return 0;
    for (size_t i = 1; i < settings->nodes->list.n_items && result == 0; i++) {
        const struct node_conf *node = settings->nodes->list.items[i];
        char *name = slice_dup(node->name);
        struct snapshot *snap = NULL;
        struct conf_diag *diag;
        struct conf_host disk = disk_host();
        char *folder = disk_folder();
        const struct snapshot_options options = {.path = file,
                                                 .host = &disk,
                                                 .folder = folder,
                                                 .node = name,
                                                 .generation = 1,
                                                 .n_loops = 1};
        if (snapshot_load(env->table, &options, &snap, &diag) < 0) {
            struct text text = TEXT_NONE;
            text_printf(&text, "as node %s:\n", name);
            conf_diag_print(diag, &text);
            print(stderr, &text);
            text_deinit(&text);
            result = -1;
        }
        snapshot_unref(&snap);
        mem_free(folder);
        mem_free(name);
    }
    return result;
}

static void print_full(const struct snapshot *snap)
{
    struct conf_section sections[MODULES_MAX];
    size_t n_sections = 0;
    for (size_t i = 0; i < snap->table->n_items; i++) {
        const struct module *module = snap->table->items[i];
        if (module->words)
            sections[n_sections++] = (struct conf_section){
                .module = module->name, .words = module->words, .self = snap->conf[i]};
    }
    struct text text = TEXT_NONE;
    conf_print_full(sections, n_sections, snap->root, &text);
    print(stdout, &text);
    text_deinit(&text);
}

static int run_check(const struct command_env *env, int argc, char **argv)
{
    const char *file = NULL, *node = NULL;
    bool is_full = false;
    const struct cli_option options[] = {
        {.name = "--node", .text = &node},
        {.name = "--full", .flag = &is_full},
        {.name = NULL},
    };
    int result = cli_arguments(env, argc, argv, options, &file, 1);
    if (result != 0)
        return result;
    struct snapshot *snap = NULL;
    result = check_as(env, file, node, node == NULL, &snap);
    if (result == 0 && !node)
        result = check_other_nodes(env, file, snap);
    if (result == 0 && is_full)
        print_full(snap);
    else if (result == 0)
        printf("%s is fine\n", file);
    snapshot_unref(&snap);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command command_check = {
    .name = "check",
    .usage = "check FILE [--node NAME] [--full]",
    .doc = "finds every mistake that a start could find",
    .run = run_check,
};
