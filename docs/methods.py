"""Writes methods.md: every part, data set and measure with its docstring and its settings.

`python docs/methods.py`; a test fails where the page is older than the docstrings.
"""

import inspect
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from study.grids.kinds import KINDS
from trainables.settings import Interval, Of, classes_of, keywords_of

PAGE = Path(__file__).with_suffix(".md")
INTRODUCTION = """# Parts

What may stand in a trial, made from the docstrings by `python docs/methods.py`. A grid names a part
as `Use(Smooth, epsilon=0.2)`, the command line as `--set "targets=Smooth(epsilon=0.2)"`.
"""


def page() -> str:
    """The whole text."""
    sections = [INTRODUCTION]
    for title, kind in KINDS.items():
        sections.append(f"## {title}\n")
        sections += [_section(part) for _, part in sorted(classes_of(kind).items())]
    return "\n".join(sections)


def _section(part: type) -> str:
    source = inspect.cleandoc(part.__doc__ or "")
    module = inspect.getmodule(part)
    printed = (getattr(module, "__doc__", None) or "").strip().splitlines()[0]
    lines = [f"### {part.__name__}\n", f"*{printed}*\n", f"{source}\n"]
    if settings := keywords_of(part):
        lines += ["| setting | values | default |", "|---|---|---|"]
        lines += [_row(name, parameter) for name, parameter in settings.items()]
        lines.append("")
    return "\n".join(lines)


def _row(name: str, parameter: inspect.Parameter) -> str:
    missing = parameter.default is inspect.Parameter.empty
    default = "must be given" if missing else f"`{parameter.default!r}`"
    return f"| `{name}` | {_values(parameter.annotation)} | {default} |"


def _values(annotation: Any) -> str:
    """What a setting may be, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        ranges = [f"in {a.text}" for a in arguments if isinstance(a, Interval)]
        kinds = [f"a {a.kind.__name__}" for a in arguments if isinstance(a, Of)]
        return kinds[0] if kinds else " ".join([_values(arguments[0]), *ranges])
    words = {float: "number", int: "whole number", str: "text", bool: "True or False"}
    if annotation in words:
        return words[annotation]
    if origin is tuple:
        return " and ".join(_values(a) for a in arguments if a is not ...)
    if arguments and not origin.__module__.startswith("typing"):
        return " or ".join("None" if a is type(None) else _values(a) for a in arguments)
    return ", ".join(f"`{a!r}`" for a in arguments) or getattr(annotation, "__name__", "value")


if __name__ == "__main__":
    PAGE.write_text(page())
