/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sealed bytes that a process gets from the supervisor: the configuration, and the files that
 * it may see.
 */

#include "core/process.h"
#include "core/process_life.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

void process_bundle_close(struct process_bundle *bundle)
{
    conf_bundle_deinit(&bundle->bundle);
    if (bundle->bytes)
        munmap(bundle->bytes, bundle->len);
    *bundle = (struct process_bundle){.bytes = NULL};
    conf_bundle_init(&bundle->bundle);
}

int process_bundle_open(struct control_message *message, struct process_bundle *ret_bundle,
                        struct err *err)
{
    int fd = control_take(message, "bundle", 0);
    size_t len = 0;
    for (size_t i = 0; i < message->n_labels; i++) {
        if (strcmp(message->labels[i].name, "bundle") == 0)
            len = (size_t)message->labels[i].number;
    }
    if (fd < 0 || len == 0)
        return err_set(err, "%s came without a bundle", control_type_name(message->type));
    /* Sealed, nothing can change or cut it under the mapping. */
    bool is_sealed = (fcntl(fd, F_GET_SEALS) & SEALS) == SEALS;
    void *bytes = is_sealed ? mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    int error = errno;
    close(fd);
    if (!is_sealed)
        return err_set(err, "the bundle is not sealed");
    if (bytes == MAP_FAILED)
        return err_set_errno(err, error, "cannot map the bundle");
    ret_bundle->bytes = bytes;
    ret_bundle->len = len;
    if (conf_bundle_decode(&ret_bundle->bundle, slice_make(bytes, len), err) == 0)
        return 0;
    process_bundle_close(ret_bundle);
    return err_prefix(err, "the bundle");
}

struct slice process_blob(struct process *process, const char *name)
{
    const struct process_life *life = process_life(process);
    const struct process_bundle *bundle =
        life->coming_bundle.bytes ? &life->coming_bundle : &life->bundle;
    return conf_bundle_blob(&bundle->bundle, name);
}
