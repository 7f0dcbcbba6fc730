"""Numbers of a table, typed as they are printed."""

from study.grids.grid import Inferred, Published


def printed(table: str) -> dict[str, list[Published]]:
    """Rows of a table as they are printed: a name, then `mean ± deviation`, `mean` or `-`.

    `mean*` is a number whose column was lost with the document's layout and found again.
    """
    rows: dict[str, list[Published]] = {}
    for line in table.strip().splitlines():
        name, *cells = (cell.strip() for cell in line.split("|"))
        rows[name] = [_number(cell) for cell in cells]
    return rows


def _number(cell: str) -> Published:
    if cell == "-":
        return None
    mean, _, deviation = cell.removesuffix("*").partition("±")
    if cell.endswith("*"):
        return Inferred(mean)
    return (float(mean), float(deviation)) if deviation else float(mean)
