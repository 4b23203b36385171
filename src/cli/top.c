/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir top: the status anew each second, on the terminal's other screen. The terminal is as it was
 * after every end, also by a signal: signals are taken by turns of the loop, not by handlers.
 */
#include "base/mem.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/remote.h"
#include "cli/table.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

enum { PERIOD_MS = 1000, ASK_MS = 2000 };

struct top {
    const char *state_dir;
    int signal_fd;
    struct termios former;
};

/* ---- the terminal ---- */

static int terminal_take(struct top *top)
{
    struct termios raw;
    sigset_t set;
    if (tcgetattr(STDIN_FILENO, &top->former) < 0)
        return -1;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    top->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    raw = top->former;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    if (top->signal_fd < 0 || tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
        return -1;
    fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor */
    return 0;
}

static void terminal_give_back(struct top *top)
{
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSANOW, &top->former);
    close(top->signal_fd);
}

static unsigned terminal_height(void)
{
    struct winsize size;
    bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1;
    return is_known ? size.ws_row : 24;
}

/* ---- a screen ---- */

/* As many lines as there is room for, each to the end of its line; the last one says how to end. */
static int show(struct slice text)
{
    unsigned room = terminal_height() - 1;
    fputs("\033[H", stdout);
    for (; room > 0 && text.ptr && text.len; room--) {
        struct slice line = slice_cut(&text, '\n');
        printf("%.*s\033[K\r\n", SLICE_ARG(line));
    }
    printf("\033[J%s q ends", text.ptr && text.len ? "... more than fits;" : "");
    return fflush(stdout) == 0 ? 0 : -1;
}

static int refresh(const struct top *top)
{
    struct text out = TEXT_NONE;
    struct err err = ERR_NONE;
    json_t *status = NULL;
    struct table_style style = table_style_of_output();
    if (ask_json(top->state_dir, "GET", "/v1/status", ASK_MS, &status, &err) == 0)
        status_print(status, &style, &out);
    else
        text_printf(&out, "weir top: %s\n", err.text);
    int result = show(text_slice(&out));
    json_decref(status);
    text_deinit(&out);
    return result;
}

/* ---- the loop ---- */

/* q, Ctrl-D, or an end of the terminal. */
static bool is_end_typed(void)
{
    char keys[64];
    ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));
    if (n <= 0)
        return true;
    for (ssize_t i = 0; i < n; i++) {
        if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == 4)
            return true;
    }
    return false;
}

/* Another size of the terminal only asks for another screen. */
static bool is_end_signalled(const struct top *top)
{
    struct signalfd_siginfo info;
    bool is_end = false;
    while (read(top->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        is_end = is_end || info.ssi_signo != SIGWINCH;
    return is_end;
}

static void watch(struct top *top)
{
    for (;;) {
        struct pollfd ready[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                 {.fd = top->signal_fd, .events = POLLIN}};
        if (refresh(top) < 0)
            return;
        (void)poll(ready, ARRAY_LEN(ready), PERIOD_MS);
        if (ready[0].revents && is_end_typed())
            return;
        if (ready[1].revents && is_end_signalled(top))
            return;
    }
}

static int run_top(const struct command_env *env, int argc, char **argv)
{
    struct remote_options options;
    int result = remote_options(env, argc, argv, 0, &options);
    if (result != 0)
        return result;
    struct top top = {.state_dir = options.state_dir, .signal_fd = -1};
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || terminal_take(&top) < 0) {
        fprintf(stderr, "weir top: this is no terminal; `weir status` prints the same once\n");
        remote_options_deinit(&options);
        return EXIT_FAILURE;
    }
    watch(&top);
    terminal_give_back(&top);
    remote_options_deinit(&options);
    return EXIT_SUCCESS;
}

const struct command command_top = {
    .name = "top",
    .usage = "top [--state DIR]",
    .doc = "shows the status anew each second; q ends it",
    .run = run_top,
};
