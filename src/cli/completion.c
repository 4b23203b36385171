/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir completion: what a shell reads to complete commands, made of the rows of the table of
 * commands (cli/usage.h). Names come from the running weir while the operator types: `weir
 * completion members` prints those of members, `weir completion targets` all that may drain, and
 * both are silent where none runs.
 */
#include "base/mem.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/remote.h"
#include "cli/usage.h"
#include "core/settings.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_MS = 1000, OPTIONS_MAX = 64 };

/* What stands for a value in each shell; a value that has no row is not completed. */
struct filler {
    const char *value;
    const char *bash, *zsh, *fish;
};

#define TYPES "A AAAA ANY CAA CNAME DNAME DS HTTPS MX NAPTR NS PTR SOA SRV SVCB TLSA TXT"

static const struct filler fillers[] = {
    {"TYPE", "compgen -W \"" TYPES "\" -- \"$cur\"", "compadd -- " TYPES,
     "string split \" \" \"" TYPES "\""},
    {"FILE", "compgen -f -- \"$cur\"", "_files", "__fish_complete_path"},
    {"DIR", "compgen -d -- \"$cur\"", "_files -/", "__fish_complete_directories"},
    {"MEMBER", "compgen -W \"$(weir completion members 2>/dev/null)\" -- \"$cur\"",
     "compadd -- ${(f)\"$(weir completion members 2>/dev/null)\"}",
     "weir completion members 2>/dev/null"},
    {"TARGET", "compgen -W \"$(weir completion targets 2>/dev/null)\" -- \"$cur\"",
     "compadd -- ${(f)\"$(weir completion targets 2>/dev/null)\"}",
     "weir completion targets 2>/dev/null"},
};

static const struct filler *filler_of(struct slice value)
{
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
        if (slice_is(value, fillers[i].value))
            return &fillers[i];
    }
    return NULL;
}

/* The usage of a command without its name. */
static struct slice behind_name(const struct command *command)
{
    return slice_skip(slice_from(command->usage), strlen(command->name));
}

/* ' quoted for a shell. */
static void text_shell(struct text *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\'')
            text_append(out, SLICE("'\\''"));
        else
            text_append_char(out, *value);
    }
}

/* The words and options of a command, a space before each. */
static void text_words(struct text *out, const struct command *command)
{
    struct slice rest = behind_name(command);
    struct usage_item item;
    while (usage_next(&rest, &item)) {
        if (item.kind != USAGE_VALUE)
            text_printf(out, " %.*s", SLICE_ARG(item.text));
    }
}

/* Every option that takes a value with a filler, once. Returns how many. */
static size_t collect_options(const struct command_env *env, struct usage_item items[OPTIONS_MAX])
{
    size_t n = 0;
    for (const struct command *const *command = env->commands; *command; command++) {
        struct slice rest = behind_name(*command);
        struct usage_item item;
        while (usage_next(&rest, &item)) {
            bool is_known = item.kind != USAGE_OPTION || !filler_of(item.value);
            for (size_t i = 0; i < n && !is_known; i++)
                is_known = slice_equal(items[i].text, item.text);
            if (!is_known && n < OPTIONS_MAX)
                items[n++] = item;
        }
    }
    return n;
}

/* ---- bash ---- */

static void bash_command(struct text *out, const struct command *command)
{
    struct slice rest = behind_name(command);
    struct usage_item item;
    text_printf(out, "    %s)\n        COMPREPLY=($(compgen -W \"", command->name);
    text_words(out, command);
    text_append(out, SLICE("\" -- \"$cur\"))\n"));
    while (usage_next(&rest, &item)) {
        const struct filler *filler = item.kind == USAGE_VALUE ? filler_of(item.text) : NULL;
        if (filler)
            text_printf(out, "        COMPREPLY+=($(%s))\n", filler->bash);
    }
    text_append(out, SLICE("        ;;\n"));
}

static void print_bash(const struct command_env *env, struct text *out)
{
    struct usage_item options[OPTIONS_MAX];
    size_t n = collect_options(env, options);
    text_append(out, SLICE("# weir(1): . <(weir completion bash)\n"
                           "_weir() {\n"
                           "    local cur=${COMP_WORDS[COMP_CWORD]}\n"
                           "    COMPREPLY=()\n"
                           "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                           "        COMPREPLY=($(compgen -W \""));
    for (const struct command *const *command = env->commands; *command; command++)
        text_printf(out, " %s", (*command)->name);
    text_append(out, SLICE("\" -- \"$cur\"))\n"
                           "        return\n"
                           "    fi\n"
                           "    case ${COMP_WORDS[COMP_CWORD-1]} in\n"));
    for (size_t i = 0; i < n; i++)
        text_printf(out, "    %.*s)\n        COMPREPLY=($(%s))\n        return\n        ;;\n",
                    SLICE_ARG(options[i].text), filler_of(options[i].value)->bash);
    text_append(out, SLICE("    esac\n    case ${COMP_WORDS[1]} in\n"));
    for (const struct command *const *command = env->commands; *command; command++)
        bash_command(out, *command);
    text_append(out, SLICE("    esac\n}\ncomplete -o filenames -F _weir weir\n"));
}

/* ---- zsh ---- */

static void zsh_command(struct text *out, const struct command *command)
{
    struct slice rest = behind_name(command);
    struct usage_item item;
    struct text known = TEXT_NONE;
    text_words(&known, command);
    text_printf(out, "    %s)\n", command->name);
    if (known.len)
        text_printf(out, "        compadd --%s\n", text_cstr(&known));
    while (usage_next(&rest, &item)) {
        const struct filler *filler = item.kind == USAGE_VALUE ? filler_of(item.text) : NULL;
        if (filler)
            text_printf(out, "        %s\n", filler->zsh);
    }
    text_append(out, SLICE("        ;;\n"));
    text_deinit(&known);
}

static void print_zsh(const struct command_env *env, struct text *out)
{
    struct usage_item options[OPTIONS_MAX];
    size_t n = collect_options(env, options);
    text_append(out, SLICE("#compdef weir\n"
                           "# weir(1): weir completion zsh > a file _weir in $fpath\n"
                           "_weir() {\n"
                           "    if (( CURRENT == 2 )); then\n"
                           "        local -a commands\n"
                           "        commands=(\n"));
    for (const struct command *const *command = env->commands; *command; command++) {
        text_printf(out, "            '%s:", (*command)->name);
        text_shell(out, (*command)->doc);
        text_append(out, SLICE("'\n"));
    }
    text_append(out, SLICE("        )\n"
                           "        _describe command commands\n"
                           "        return\n"
                           "    fi\n"
                           "    case $words[CURRENT-1] in\n"));
    for (size_t i = 0; i < n; i++)
        text_printf(out, "    %.*s)\n        %s\n        return\n        ;;\n",
                    SLICE_ARG(options[i].text), filler_of(options[i].value)->zsh);
    text_append(out, SLICE("    esac\n    case $words[2] in\n"));
    for (const struct command *const *command = env->commands; *command; command++)
        zsh_command(out, *command);
    text_append(out, SLICE("    esac\n}\n_weir \"$@\"\n"));
}

/* ---- fish ---- */

static void fish_item(struct text *out, const struct command *command,
                      const struct usage_item *item)
{
    const struct filler *filler = filler_of(item->kind == USAGE_OPTION ? item->value : item->text);
    if (item->kind == USAGE_VALUE && !filler)
        return;
    text_printf(out, "complete -c weir -n '__fish_seen_subcommand_from %s'", command->name);
    if (item->kind == USAGE_OPTION)
        text_printf(out, " -l %.*s%s", (int)item->text.len - 2, item->text.ptr + 2,
                    item->value.len ? " -r" : "");
    if (item->kind == USAGE_WORD)
        text_printf(out, " -a '%.*s'", SLICE_ARG(item->text));
    else if (filler)
        text_printf(out, " -a '(%s)'", filler->fish);
    text_append_char(out, '\n');
}

static void print_fish(const struct command_env *env, struct text *out)
{
    text_append(out, SLICE("# weir(1): weir completion fish | source\ncomplete -c weir -f\n"));
    for (const struct command *const *command = env->commands; *command; command++) {
        text_printf(out, "complete -c weir -n __fish_use_subcommand -a %s -d '", (*command)->name);
        text_shell(out, (*command)->doc);
        text_append(out, SLICE("'\n"));
        struct slice rest = behind_name(*command);
        struct usage_item item;
        while (usage_next(&rest, &item))
            fish_item(out, *command, &item);
    }
}

/* ---- names ---- */

static void print_members(const json_t *status, struct text *out)
{
    const json_t *pool, *member;
    size_t i, j;
    json_array_foreach(json_object_get(status, "pools"), i, pool)
    {
        json_array_foreach(json_object_get(pool, "members"), j, member)
            text_printf(out, "%s/%s\n", remote_text(pool, "name"), remote_text(member, "name"));
    }
}

/* Without their kinds: to a shell a colon ends a word. */
static void print_targets(const json_t *status, struct text *out)
{
    const char *node = remote_text(status, "node");
    const json_t *fact;
    size_t i;
    print_members(status, out);
    json_array_foreach(json_object_get(status, "facts"), i, fact)
    {
        struct slice name = slice_from(remote_text(fact, "name"));
        if (slice_is(slice_cut(&name, ':'), "vip"))
            text_printf(out, "%.*s\n", SLICE_ARG(name));
    }
    if (node[0])
        text_printf(out, "%s\n", node);
}

/* Where nobody answers there is nothing to complete, and nothing to say. */
static void print_names(void (*print)(const json_t *status, struct text *out), struct text *out)
{
    char *state_dir = cli_state_dir(NULL);
    json_t *status = NULL;
    struct err err = ERR_NONE;
    if (ask_json(state_dir ? state_dir : SETTINGS_STATE_DEFAULT, "GET", "/v1/status", MEMBERS_MS,
                 &status, &err) == 0)
        print(status, out);
    json_decref(status);
    mem_free(state_dir);
}

static int run_completion(const struct command_env *env, int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(const struct command_env *env, struct text *out);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    const struct cli_option none[] = {{.name = NULL}};
    const char *name = NULL;
    int result = cli_arguments(env, argc, argv, none, &name, 1);
    if (result != 0)
        return result;
    struct text out = TEXT_NONE;
    size_t i = 0;
    while (i < ARRAY_LEN(shells) && strcmp(shells[i].name, name) != 0)
        i++;
    if (i < ARRAY_LEN(shells))
        shells[i].print(env, &out);
    else if (strcmp(name, "members") == 0)
        print_names(print_members, &out);
    else if (strcmp(name, "targets") == 0)
        print_names(print_targets, &out);
    else
        return cli_wrong(env, argv[0], "there is no completion for ", name);
    fwrite(text_cstr(&out), 1, out.len, stdout);
    text_deinit(&out);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command command_completion = {
    .name = "completion",
    .usage = "completion bash|zsh|fish|members|targets",
    .doc = "prints what a shell needs to complete commands, or names",
    .run = run_completion,
};
