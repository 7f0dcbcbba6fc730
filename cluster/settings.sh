# What every node of a cluster knows; read by its ~/.bashrc. The lines to change are the first two.

# Shared by all nodes: an S3 bucket that is there, or a path of a network file system that is
# mounted on all of them, as /mnt/nfs/label-studies.
export STUDY_STORAGE=s3://CHANGE-ME/label-studies
# On each node; what can be fetched is fetched there at first use.
export STUDY_DATA_DIR=$HOME/data

# The head's records, which live as long as its disk. After that the storage is still the truth: the
# same commands write both anew, and train nothing twice. To outlive the head, both may be
# postgresql://user@host/database, of two databases (with the password in ~/.pgpass of the head,
# never here). SQLite is refused for searches beside a shared storage: cluster/database.sh makes this.
export MLFLOW_BACKEND_STORE_URI=sqlite:///$HOME/mlflow.db
export STUDY_SEARCH_STORAGE=postgresql:///optuna
export MLFLOW_ARTIFACTS_DESTINATION=$STUDY_STORAGE/artifacts
export MLFLOW_TRACKING_URI=http://127.0.0.1:5000

export STUDY_VENV=$HOME/label-studies/.venv
export PATH=$STUDY_VENV/bin:$HOME/.local/bin:$PATH
export RAY_AUTH_MODE=token
export RAY_USAGE_STATS_ENABLED=0
export MLFLOW_DISABLE_TELEMETRY=true
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false # evaluation of language models: eight processes
if [ -e ~/ray_bootstrap_config.yaml ]; then # the head, where `ray submit` runs commands
    export RAY_ADDRESS=auto
fi
