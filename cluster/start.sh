#!/usr/bin/env bash
# Starts Ray on a node: `start.sh head`, with the MLflow server, or `start.sh worker ADDRESS
# [OPTION]...` with options of `ray start`, like --num-gpus=2.
# Nothing listens beyond the node but Ray's own ports, which want the token.
set -euo pipefail
cd "$(dirname "$0")/.." # where submitted jobs start
unset RAY_ADDRESS       # it would go before what is given here
ray stop

if [ "$1" = head ]; then
    # Who holds the lock is the one server, and the lock's file has its process group. An earlier one
    # has the settings of its time: it ends.
    for _ in {1..40}; do
        flock --nonblock ~/mlflow.lock true && break
        kill -- "-$(cat ~/mlflow.lock)" || true
        sleep 0.5
    done
    flock --nonblock ~/mlflow.lock true ||
        echo "start.sh: an earlier MLflow server does not end; it stays, with its settings" >&2
    setsid bash -c '
        exec 9>>~/mlflow.lock
        flock --nonblock 9 || exit
        echo $$ >~/mlflow.lock
        while true; do
            mlflow server --host 127.0.0.1 --port 5000 --workers 1
            sleep 5
        done' >>~/mlflow.log 2>&1 </dev/null &
    # Without CPUs of its own the head runs drivers only.
    ray start --head --port=6379 --num-cpus=0 --num-gpus=0 --dashboard-host=127.0.0.1 \
        --autoscaling-config="$HOME/ray_bootstrap_config.yaml"
else
    ray start --address="$2:6379" "${@:3}"
fi
