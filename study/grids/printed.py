"""Numbers of a table, typed as they are printed."""

from collections.abc import Sequence

from study.grids.grid import Published


def printed(table: str) -> dict[str, list[Published]]:
    """Rows of a table as they are printed: a name, then `mean ± deviation`, `mean` or `-`.

    `mean*` is a number whose column was lost with the document's layout and found again.
    """
    rows: dict[str, list[Published]] = {}
    for line in table.strip().splitlines():
        name, *cells = (cell.strip() for cell in line.split("|"))
        rows[name] = [_number(cell) for cell in cells]
    return rows


def inferred(table: str, columns: Sequence[str]) -> str:
    """In words, which numbers of the table are of a column that was found again."""
    found = []
    for line in table.strip().splitlines():
        name, *cells = (cell.strip() for cell in line.split("|"))
        marked = [c for c, cell in zip(columns, cells, strict=True) if cell.endswith("*")]
        found += [f"{name} at {', '.join(marked)}"] if marked else []
    return "; ".join(found)


def _number(cell: str) -> Published:
    if cell == "-":
        return None
    mean, _, deviation = cell.removesuffix("*").partition("±")
    return (float(mean), float(deviation)) if deviation else float(mean)
