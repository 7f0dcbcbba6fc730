"""Imports point one way: study -> analysis -> trainables; and each service has its files."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ("trainables", "analysis", "study")  # each may import itself and those before it
# The packages that may import each service.
SERVICES = {
    "ray": ("trainables.worker", "study"),
    "torch": ("trainables", "study"),
    "mlflow": ("study.tracking", "analysis.records", "analysis.runs"),
    "optuna": ("study.search", "analysis.figures.searches"),
}

FILES = sorted(path.relative_to(ROOT) for name in ORDER for path in (ROOT / name).rglob("*.py"))


def imports(module: str, source: str) -> Iterator[str]:
    """Every module that the source imports, wherever in it: also in functions, and by name.

    What stands behind `from package import` may be a module too: `package.name` is given as well.
    """
    package = module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = ast.unparse(node.func).rpartition(".")[2]
            if function in ("__import__", "import_module"):
                yield str(node.args[0].value)


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def wrong(module: str, source: str) -> list[str]:
    """The imports that this module must not have."""
    found = []
    for other in imports(module, source):
        top = other.partition(".")[0]
        upwards = top in ORDER and ORDER.index(top) > ORDER.index(module.partition(".")[0])
        alien = top in SERVICES and not within(module, *SERVICES[top])
        if upwards or alien:
            found.append(other)
    return found


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_imports_only_what_it_may(path: Path) -> None:
    module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    assert wrong(module, (ROOT / path).read_text()) == []


def test_the_three_packages_are_read() -> None:
    assert {path.parts[0] for path in FILES} == set(ORDER)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("trainables.training.fit", "import study.session"),
        ("trainables.training.fit", "from study import session"),
        ("trainables.nets.net", "from analysis.comparison import compare"),
        ("trainables.nets.net", "from ...study import session"),
        ("analysis.plan", "def f():\n    from study.grids import grid"),
        ("analysis.plan", "if TYPE_CHECKING:\n    import study.grids.grid as g"),
        ("analysis.plan", "from study import run"),
        ("analysis.report", "import study.command"),
        ("analysis.comparison", "import torch"),
        ("analysis.comparison", "from torch import Tensor"),
        ("trainables.training.fit", "from ray import tune"),
        ("trainables.workers", "import ray"),
        ("analysis.runs", "import ray.tune"),
        ("study.command", "import mlflow"),
        ("study.command", "def f():\n    from mlflow.entities import Run"),
        ("analysis.report", "import mlflow"),
        ("study.running.launch", "import optuna"),
        ("analysis.plan", "import_module('study.session')"),
        ("analysis.plan", "importlib.import_module('study.command')"),
        ("study.grids.grid", "__import__('optuna')"),
    ],
)
def test_a_wrong_import_is_found_wherever_it_stands(module: str, source: str) -> None:
    assert wrong(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("study.command", "def f():\n    from analysis import report"),
        ("study.command", "from study.running import launch"),
        ("study.running.launch", "import ray\nfrom trainables.training.fit import fit"),
        ("trainables.worker.trainable", "from ray import tune"),
        ("study.tracking.tracker", "from mlflow import MlflowClient"),
        ("analysis.runs", "import mlflow\nfrom analysis.plan import Plan"),
        ("analysis.figures.searches", "import optuna"),
        ("study.search.search", "import optuna"),
        ("trainables.training.fit", "import rayon, studying"),
        ("study.runner", "from study.running import x"),
    ],
)
def test_a_right_import_is_let_through(module: str, source: str) -> None:
    assert wrong(module, source) == []


TRAINING = """
import sys
from pathlib import Path
from study.preflight.prepare import check_parts
from tests.trainables.small import NOWHERE, SITE, small_trial
from trainables.storage.storage import Storage
from trainables.training.fit import fit
trial = small_trial(net="ResNet50(width=0.125, depth=0.25)", **{"recipe.epochs": 1})
check_parts([trial], NOWHERE)
assert fit(trial, Storage(Path(sys.argv[1])), SITE).status == "finished"
print(*{"torch._dynamo", "torchvision"} & set(sys.modules))
"""


def test_neither_torchs_compiler_nor_torchvision_is_imported_to_train(tmp_path: Path) -> None:
    """Each takes every process two seconds."""
    program = [sys.executable, "-c", TRAINING, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "\n"


def test_a_machine_with_torch_alone_trains_and_knows_the_tables() -> None:
    absent = ("ray", "mlflow", "optuna", "gensim", "nltk", "boto3", "sqlalchemy")
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in absent)
    program = f"import sys; {blocked}import trainables.training.fit, study.grids.ols.noise"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
