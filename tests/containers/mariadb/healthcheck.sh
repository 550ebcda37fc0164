#!/bin/sh
# What `healthcheck.sh --connect --innodb_initialized` of the image mariadb asks: does the server answer over TCP, and
# does InnoDB work?
set -eu
found=$(mariadb --defaults-extra-file=/var/lib/mysql/.my-healthcheck.cnf --protocol=tcp --host=127.0.0.1 --batch \
    --skip-column-names \
    --execute="SELECT support FROM information_schema.engines WHERE engine = 'innodb'")
[ "$found" = DEFAULT ]
