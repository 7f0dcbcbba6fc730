"""Home: where results are kept by default."""

from pathlib import Path

HOME = Path.home() / ".label-studies"
