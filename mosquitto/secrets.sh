#!/bin/sh
# Makes what the broker and its clients must keep to themselves: a password and a certificate for each user of the
# access list, the broker's own certificate, and the authority that signs them. What is there already stays.
# Prints the names of what it made, never a secret. Needs mosquitto_passwd or python3, and openssl for the certificates.
set -eu
umask 077

usage() {
    cat <<'END'
usage: secrets.sh [--passwords] [--containers] [FOLDER [HOST...]]
  FOLDER        where to (default: the folder `secrets` beside this script)
  HOST          names and addresses clients reach the broker by (default: localhost 127.0.0.1 and this host's name)
  --passwords   passwords only, no certificates
  --containers  files readable inside containers, whose users differ; the folder stays closed to others. Also
                makes the database's passwords. A folder that was made so stays so
END
}

certificates=yes containers=no unsigned=
while [ $# -gt 0 ]; do
    case $1 in
        --passwords) certificates=no ;;
        --containers) containers=yes ;;
        -h | --help) usage; exit 0 ;;
        -*) usage >&2; exit 2 ;;
        *) break ;;
    esac
    shift
done

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/secrets}
[ $# -eq 0 ] || shift
roles=$(sed -n 's/^user //p' "$here/acl")

mkdir -p "$folder/passwords"
chmod 700 "$folder" "$folder/passwords"
cd "$folder"
[ -e .gitignore ] || echo '*' > .gitignore # in whatever checkout the folder lies, `git add .` leaves it alone
[ ! -s passwords/database-root ] || containers=yes  # it was made for them before

# What root makes belongs to whom the folder belongs: a broker that is not root could not read it, and would let nobody in.
give() {
    [ "$(id -u)" != 0 ] || find "$@" -user 0 -exec chown -h "$(stat -c %u:%g .)" {} +
}
# However it ends: what was made is of use.
leave() {
    rm -f passwords.new
    give .
    [ $containers = no ] || find . -type f ! -name ca.key -exec chmod 644 {} +
}
trap leave EXIT

# --- passwords: one file each, and one file of their hashes for the broker --------------------------
password() {
    [ -s "passwords/$1" ] && return
    # hexadecimal: needs no escaping in an address
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > "passwords/$1.new"
    mv "passwords/$1.new" "passwords/$1"
    echo "made passwords/$1"
}

# NAME:PASSWORD lines become NAME:HASH lines. Without mosquitto_passwd the same hash (PBKDF2 of SHA-512) is made by Python.
hash_passwords() {
    if command -v mosquitto_passwd >/dev/null; then
        mosquitto_passwd -U "$1"
    elif command -v python3 >/dev/null; then
        python3 - "$1" <<'END'
import base64, hashlib, os, pathlib, sys

ROUNDS = 1000  # mosquitto_passwd of 2.0 makes 101: the passwords are 192 bits made by chance, nobody tries them all
path = pathlib.Path(sys.argv[1])
lines = []
for line in path.read_text().splitlines():
    name, _, password = line.partition(":")
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS)
    salt, digest = (base64.b64encode(one).decode() for one in (salt, digest))
    lines.append(f"{name}:$7${ROUNDS}${salt}${digest}\n")
path.write_text("".join(lines))
END
    else
        echo "secrets.sh: neither mosquitto_passwd nor python3 is here: apt-get install mosquitto, or python3" >&2
        return 1
    fi
}

stale=no
for role in $roles; do
    password "$role"
    [ -z "$(find "passwords/$role" -newer passwords.hashed 2>&1)" ] || stale=yes
done
if [ $stale = yes ]; then
    for role in $roles; do printf '%s:%s\n' "$role" "$(cat "passwords/$role")"; done > passwords.new
    hash_passwords passwords.new
    chmod 600 passwords.new
    give passwords.new
    mv passwords.new passwords.hashed
    echo "made passwords.hashed"
fi
password command-key  # not of a user: dispatch signs its commands with it, bridges obey no other
password ack-key  # nor this: notify signs the links with it that acknowledge an alarm, and the page obeys no other
password page-token  # nor this: who steers, acknowledges or resets on the page shows it
password engineer-token  # nor this: who takes an alarm out of service on the page shows it
password journal-key  # nor this: the archive signs the seals of its journal with it
# A key for each user that may limit the grid connection, and all of them for dispatch, which follows no other.
limiting=$(awk '$1 == "user" { user = $2 } $2 ~ /write/ && $3 ~ /\/control\/grid_limit$/ { print user }' "$here/acl")
for role in $limiting; do password "limit-key-$role"; done
for role in $limiting; do printf '%s=%s\n' "$role" "$(cat "passwords/limit-key-$role")"; done > passwords/limit-keys.new
cmp -s passwords/limit-keys.new passwords/limit-keys || cp passwords/limit-keys.new passwords/limit-keys
rm passwords/limit-keys.new
if [ $containers = yes ]; then
    for part in migrate archive upkeep optimize status root; do password "database-$part"; done
fi

# --- certificates -----------------------------------------------------------------------------------
# name, subject alternative names, usage
certificate() {
    [ -s "$1.crt" ] && return
    if [ ! -s ca.key ]; then
        unsigned="$unsigned $1.crt"
        return
    fi
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key.new"
    {
        echo "basicConstraints=critical,CA:FALSE"
        echo "keyUsage=critical,digitalSignature"
        echo "extendedKeyUsage=$3"
        [ -z "$2" ] || echo "subjectAltName=$2"
    } > "$1.ext"
    openssl req -new -key "$1.key.new" -subj "/CN=${1##*/}" |
        openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 825 -sha256 \
            -extfile "$1.ext" -out "$1.new" 2>/dev/null
    rm "$1.ext"
    mv "$1.key.new" "$1.key"
    mv "$1.new" "$1.crt"
    echo "made $1.crt"
}

names() {
    for host in "$@"; do
        case $host in
            *[!0-9.]*) printf 'DNS:%s\n' "$host" ;;
            *) printf 'IP:%s\n' "$host" ;;
        esac
    done | sort -u | paste -sd, -
}

if [ $certificates = yes ]; then
    mkdir -p clients
    chmod 700 clients
    if [ ! -s ca.crt ]; then
        openssl ecparam -name prime256v1 -genkey -noout -out ca.key
        openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj "/CN=joulebus authority" \
            -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
            -out ca.new
        mv ca.new ca.crt
        echo "made ca.crt"
    fi
    [ $# -gt 0 ] || set -- localhost 127.0.0.1 "$(uname -n)"
    certificate server "$(names "$@")" serverAuth
    for role in $roles; do certificate "clients/$role" "" clientAuth; done
    if [ -n "$unsigned" ]; then  # it was carried away, as it should be: all else is made
        echo "secrets.sh: to make$unsigned bring ca.key back into $PWD and run it again" >&2
        [ -s server.crt ]
    fi
fi
