/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CPPCHECK_H
#define TOOLS_CPPCHECK_H

/*
 * Macros of other people's headers, for cppcheck alone, which reads none of those headers. ./run
 * check puts this in front of every file; no program includes it. Each macro is what jansson.h
 * says, as far as the flow of control goes.
 */

#define json_array_foreach(array, index, value)                                               \
    for (index = 0; index < json_array_size(array) && (value = json_array_get(array, index)); \
         index++)

#define json_object_foreach(object, key, value)                                 \
    for (key = json_object_iter_key(json_object_iter(object));                  \
         key && (value = json_object_iter_value(json_object_key_to_iter(key))); \
         key = json_object_iter_key(json_object_iter_next(object, json_object_key_to_iter(key))))

#endif
