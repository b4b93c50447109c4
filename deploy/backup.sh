#!/bin/sh
# Copies the database, the recordings (also from CONSULTA_MEDIA) and the key into a dated folder, while the program runs.
#   CONSULTA_DATA=/var/lib/consulta deploy/backup.sh /backups
# With PostgreSQL, CONSULTA_DATABASE_URL is taken and pg_dump is needed. Restore: deploy/restore.sh
set -eu
to=${1:?"Say where the copies go: deploy/backup.sh FOLDER"}
data=${CONSULTA_DATA:-data}
made="$to/consulta-$(date -u +%Y%m%dT%H%M%SZ)"
umask 077
mkdir -p "$made"
case ${CONSULTA_DATABASE_URL:-} in
postgres*) pg_dump --format=custom --file="$made/consulta.dump" "$(echo "$CONSULTA_DATABASE_URL" | sed 's/+psycopg//')" ;;
*) python3 - "$data/consulta.db" "$made/consulta.db" <<'P' ;;
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as here, sqlite3.connect(sys.argv[2]) as there:
    here.backup(there)
P
esac
consulta=$(command -v consulta || echo "$(dirname "$0")/../.venv/bin/consulta")
case ${CONSULTA_MEDIA:-} in
"") if [ -e "$data/media" ]; then cp -R "$data/media" "$made/"; fi ;;
*) "$consulta" media copy "$made/media" >&2 ;;
esac
if [ -e "$data/secret.key" ]; then cp "$data/secret.key" "$made/"; fi
echo "$made"
