"""What Tables 4, 5 and 6 share: two long tails, all classes and thirds of them."""

from study.grids.grid import Grid, percent
from study.grids.printed import printed
from study.grids.word_embedding._paper import FIXED, UNEQUAL, across, long_tailed, table
from trainables.trial import Trial

GROUPS = {
    "all": "test.accuracy",
    "larger": "test.accuracy_larger",
    "medium": "test.accuracy_medium",
    "smaller": "test.accuracy_smaller",
}
RHOS = (100, 10)
COLUMNS = {
    f"rho {rho}, {group}": percent(metric) for rho in RHOS for group, metric in GROUPS.items()
}


def imbalanced(trial: Trial, name: str, number: str, text: str) -> Grid:
    """The table as it is printed, of the data set called `name`."""
    trials = {f"rho {rho}, {group}": long_tailed(trial, rho) for rho in RHOS for group in GROUPS}
    rows = {method: across(trials, method, *cells) for method, cells in printed(text).items()}
    return table(
        title=f"Word embeddings, unequal classes ({name}, ResNet-18)",
        table=number,
        columns=COLUMNS,
        assumed=UNEQUAL,
        fixed={method: fixed for method, fixed in FIXED.items() if method in rows},
        rows=rows,
    )
