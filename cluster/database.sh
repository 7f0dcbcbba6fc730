#!/usr/bin/env bash
# The head's database for searches: PostgreSQL, reached through its socket by this user alone.
set -euo pipefail
if ! command -v createuser >/dev/null; then
    sudo apt-get update -q
    sudo apt-get install -y -q --no-install-recommends postgresql
fi
sudo service postgresql start
cd / # which the user postgres may read
user=$(id -un)
until sudo -u postgres psql -qtc 'SELECT' >/dev/null; do sleep 1; done
if ! sudo -u postgres psql -tAc "SELECT 1 FROM pg_roles WHERE rolname = '$user'" | grep -q 1; then
    sudo -u postgres createuser "$user"
fi
if ! sudo -u postgres psql -tAc "SELECT 1 FROM pg_database WHERE datname = 'optuna'" | grep -q 1; then
    sudo -u postgres createdb --owner "$user" optuna
fi
