#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same as thumbs.py, with nothing but a shell, for jobs whose number is all that it has to know.
echo '{"ready":true}' >&3
while read -r line; do
    id=${line#*\"id\":}
    id=${id%%,*}
    if printf '%s\n' "$line" | logger -t thumbs; then
        echo "{\"id\":$id,\"outcome\":\"done\"}" >&3
    else
        echo "{\"id\":$id,\"outcome\":\"again\",\"reason\":\"logger failed\"}" >&3
    fi
done
