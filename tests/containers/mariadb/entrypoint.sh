#!/bin/sh
# What the image mariadb does at its first start, as far as docker-compose.yml relies on it: the database of
# MARIADB_DATABASE, root with the password of MARIADB_ROOT_PASSWORD_FILE from anywhere, a user for healthcheck.sh.
set -eu
umask 077
data=/var/lib/mysql

case ${1:-} in -*) set -- mariadbd "$@" ;; esac
if [ ! -d $data/mysql ]; then
    rm -rf $data/making
    mariadb-install-db --no-defaults --datadir=$data --skip-test-db --auth-root-authentication-method=normal >/dev/null
    word=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
    printf '[mariadb-client]\nuser=healthcheck\npassword=%s\n' "$word" > $data/.my-healthcheck.cnf
    {
        echo "FLUSH PRIVILEGES;"
        for host in localhost 127.0.0.1 ::1; do
            echo "CREATE USER healthcheck@'$host' IDENTIFIED BY '$word';"
            echo "GRANT USAGE ON *.* TO healthcheck@'$host';"
        done
        secret=$(cat "$MARIADB_ROOT_PASSWORD_FILE")
        echo "CREATE DATABASE $MARIADB_DATABASE;"
        echo "ALTER USER root@localhost IDENTIFIED BY '$secret';"
        echo "CREATE USER root@'%' IDENTIFIED BY '$secret';"
        echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
    } | mariadbd --no-defaults --datadir=$data --bootstrap
fi
exec "$@"
