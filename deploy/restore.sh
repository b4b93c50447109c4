#!/bin/sh
# Puts a copy made by deploy/backup.sh back. The program must not be running.
#   CONSULTA_DATA=/var/lib/consulta deploy/restore.sh /backups/consulta-20270628T150000Z
set -eu
from=${1:?"Say which copy: deploy/restore.sh FOLDER/consulta-…"}
data=${CONSULTA_DATA:-data}
umask 077
mkdir -p "$data"
case ${CONSULTA_DATABASE_URL:-} in
postgres*) pg_restore --clean --if-exists --no-owner --dbname="$(echo "$CONSULTA_DATABASE_URL" | sed 's/+psycopg//')" "$from/consulta.dump" ;;
*)
    rm -f "$data/consulta.db-wal" "$data/consulta.db-shm"
    cp "$from/consulta.db" "$data/consulta.db"
    ;;
esac
consulta=$(command -v consulta || echo "$(dirname "$0")/../.venv/bin/consulta")
if [ -e "$from/media" ]; then
    case ${CONSULTA_MEDIA:-} in
    "") rm -rf "${data:?}/media" && cp -R "$from/media" "$data/" ;;
    *) CONSULTA_MEDIA="$from/media" "$consulta" media copy --exact "$CONSULTA_MEDIA" >&2 ;;
    esac
fi
if [ -e "$from/secret.key" ]; then cp "$from/secret.key" "$data/"; fi
echo "restored from $from"
