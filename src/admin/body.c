/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading the body of a command.
 */

#include "admin/body.h"

#include "conf/unit.h"
#include <string.h>

static const struct body_want *want_of(const struct body_want *wants, const char *key)
{
    while (wants->key && strcmp(wants->key, key) != 0)
        wants++;
    return wants->key ? wants : NULL;
}

static int check_known(json_t *document, const struct body_want *wants, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(document, key, value)
    {
        struct conf_quote quote;
        if (!want_of(wants, key))
            return err_set(err, "nothing is known by the name \"%s\" in the body",
                           conf_quote(slice_from(key), &quote));
    }
    return 0;
}

static int take(const json_t *document, const struct body_want *want, struct err *err)
{
    const json_t *value = json_object_get(document, want->key);
    if (!value && !want->is_required)
        return 0;
    if (value && want->any) {
        *want->any = value;
        return 0;
    }
    if (!json_is_string(value))
        return err_set(err, "\"%s\" is wanted in the body: %s", want->key, want->what);
    *want->text = json_string_value(value);
    return 0;
}

static int read_document(json_t *document, const struct body_want *wants, struct err *err)
{
    if (check_known(document, wants, err) < 0)
        return -1;
    for (; wants->key; wants++) {
        if (take(document, wants, err) < 0)
            return -1;
    }
    return 0;
}

int body_read(struct slice bytes, const struct body_want *wants, json_t **ret_document,
              struct err *err)
{
    json_error_t error;
    /* Without JSON_ALLOW_NUL jansson refuses a NUL in a string, so text is whole. */
    json_t *document =
        json_loadb(bytes.len ? bytes.ptr : "", bytes.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(document)) {
        json_decref(document);
        return err_set(err, "the body is no JSON object, as {\"%s\": ...}", wants->key);
    }
    if (read_document(document, wants, err) < 0) {
        json_decref(document);
        return -1;
    }
    *ret_document = document;
    return 0;
}
