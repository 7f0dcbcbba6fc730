"""docs/methods.md is made from the docstrings, and no older than they are."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_the_docstrings_say() -> None:
    spec = spec_from_file_location("methods", DOCS / "methods.py")
    assert spec is not None
    assert spec.loader is not None
    methods = module_from_spec(spec)
    spec.loader.exec_module(methods)
    assert (DOCS / "methods.md").read_text() == methods.page(), "`make docs` writes it anew"
