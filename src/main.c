/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The tables: which modules there are, lower floors first, and which commands. Nothing else knows
 * all of them by name.
 */

#include "admin/admin.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/jobs.h"
#include "cli/remote.h"
#include "core/process.h"
#include "core/settings.h"
#include "dns/dns.h"
#include "edge/edge.h"
#include "health/health.h"
#include "peer/peer.h"
#include "pool/pool.h"
#include "queue/queue.h"
#include "super/super.h"
#include "vip/vip.h"
#include "worker/worker.h"
#include <string.h>

int main(int argc, char **argv)
{
    static const struct module *const modules[] = {
        &settings_module, &pool_module,  &health_module, &peer_module, &dns_module,
        &vip_module,      &queue_module, &worker_module, &edge_module, &admin_module,
    };
    static const struct command *const commands[] = {
        &command_run,     &command_check,      &command_status,
        &command_facts,   &command_reload,     &command_upgrade,
        &command_stop,    &command_drain,      &command_undrain,
        &command_force,   &command_weight,     &command_member,
        &command_runtime, &command_explain,    &command_top,
        &command_put,     &command_jobs,       &command_kick,
        &command_bury,    &command_delete,     &command_pause,
        &command_queue,   &command_completion, &command_manual,
        &command_help,    &command_version,    NULL,
    };
    static const struct module_table table = {.items = modules, .n_items = ARRAY_LEN(modules)};
    const struct command_env env = {.table = &table, .commands = commands, .supervise = super_main};
    if (argc == 3 && strcmp(argv[1], "--process") == 0)
        return process_main(&table, argc, argv);
    return cli_main(&env, argc, argv);
}
