#!/bin/bash
# Prepare the database: install SPP the first time and give the administrator a password, update it afterwards.
# Safe to run again after an interruption: the first time is over only when the marker at the end is stored.
set -euo pipefail

modules=spp_mis_importer,spp_payment_g2p_connect,spp_spar_sync
query() {
    PGPASSWORD=$PASSWORD psql --host="$HOST" --username="$USER" --dbname="$1" --tuples-only --no-align --command="$2"
}

first_time=true
if [ "$(query postgres "SELECT count(*) FROM pg_database WHERE datname = '$DATABASE'")" = 1 ] \
    && [ "$(query "$DATABASE" "SELECT to_regclass('ir_config_parameter') IS NOT NULL")" = t ] \
    && [ "$(query "$DATABASE" "SELECT value FROM ir_config_parameter WHERE key = 'spp.setup'")" = done ]; then
    first_time=false
fi

run() { /entrypoint.sh odoo "$@" --database="$DATABASE" --no-http; }

if ! $first_time; then
    echo "Updating SPP in the database $DATABASE"
    run --workers=0 --max-cron-threads=0 --stop-after-init --update="$modules"
    exit
fi
echo "Installing SPP into the database $DATABASE"
run --workers=0 --max-cron-threads=0 --stop-after-init --init="$modules"
run shell <<'PYTHON'
import os

env.ref("base.user_admin").password = os.environ["ADMIN_PASSWORD"]
env["ir.config_parameter"].set_param("spp.setup", "done")
env.cr.commit()
PYTHON
