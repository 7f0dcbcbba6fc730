"""Copies of recorded runs inside a tracker's database: many runs without training them."""

import shutil
import sqlite3
from pathlib import Path

VALUES = ("params", "tags", "metrics")  # of MLflow's database


def values(database: Path) -> int:
    """How many parameters, tags and points the tracker's database has."""
    with sqlite3.connect(database) as open_:
        return sum(open_.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in VALUES)


def copied(database: Path, to: Path, ids: list[str], count: int) -> list[str]:
    """Makes a database of `count` trials, copies of the trials `ids`. Returns their ids."""
    shutil.copy(database, to)
    made = [
        trial_id if i < len(ids) else f"{trial_id}-{i // len(ids)}"
        for i, trial_id in ((i, ids[i % len(ids)]) for i in range(count))
    ]
    with sqlite3.connect(to) as db:
        found = db.execute("SELECT value, run_uuid FROM tags WHERE key = 'trial_id'")
        run_of = dict(found.fetchall())
        tables_of = ("runs", *VALUES, "latest_metrics")
        for trial_id in ids[count:]:
            for table in reversed(tables_of):
                db.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (run_of[trial_id],))
        for new in made[len(ids) :]:
            trial_id, _, copy = new.partition("-")
            run = run_of[trial_id]
            other = f"{run[:26]}{copy:0>6}"
            for table in tables_of:
                columns = [c[1] for c in db.execute(f"PRAGMA table_info({table})")]
                chosen = ", ".join("?" if c == "run_uuid" else c for c in columns)
                db.execute(
                    f"INSERT INTO {table} SELECT {chosen} FROM {table} WHERE run_uuid = ?",
                    (other, run),
                )
            db.execute(
                "UPDATE tags SET value = ? WHERE key = 'trial_id' AND run_uuid = ?", (new, other)
            )
    return made
