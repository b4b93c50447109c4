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
for part in media secret.key; do
    if [ -e "$from/$part" ]; then rm -rf "${data:?}/$part" && cp -R "$from/$part" "$data/"; fi
done
echo "restored from $from"
