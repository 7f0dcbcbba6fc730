"""A file of word vectors: GloVe's text, or word2vec's text or binary format."""

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainables.labels.words import Combine, Embedded, Looked, Table, used
from trainables.settings import Invalid, Rows, Use, Weight, require_file

Layout = Literal["detect", "glove", "word2vec", "binary"]


class WordFile(Looked):
    """The vectors of a file, a word a line or record, read by gensim.

    `layout`: "glove" has no header; "word2vec" has one, as text; "binary" is word2vec's binary
    form. "detect" takes a file that ends with .bin as binary, and looks for a header in others.
    Only the words of the classes enter a trial's id.
    """

    def __init__(
        self,
        *,
        path: str,  # a relative one lies under the data folder
        layout: Layout = "detect",
        combine: Combine = "mean",
        weights: tuple[Weight, ...] = (),
        substitutes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(combine, weights, substitutes)
        self.path, self.layout = path, layout

    @classmethod
    def files(
        cls, folder: Path, *, path: str, layout: Layout, substitutes: tuple[str, ...], **_: object
    ) -> dict[str, Rows]:
        read = partial(_used, folder / path, layout, substitutes)
        return {"path": Rows(folder / path, read)}

    @classmethod
    def demo(cls, use: Use) -> Use:
        """The embedded vectors, which are GloVe's too."""
        return Use(Embedded, combine=use["combine"], weights=use["weights"])

    def table(self, folder: Path) -> Table:
        require_file(folder / self.path)
        return load(folder / self.path, self.layout)


def _used(path: Path, layout: Layout, substitutes: Sequence[str], names: Sequence[str]) -> bytes:
    return used(names, load(path, layout), substitutes)


def load(path: Path, layout: Layout) -> Table:
    """All vectors of the file. Raises Invalid where it is truncated or a row is not like others."""
    stat = path.stat()
    return _load(path, layout, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=2)  # a large file takes a minute, and a study asks for it once a row
def _load(path: Path, layout: Layout, size: int, changed: int) -> Table:
    from gensim.models import KeyedVectors  # a second, which most commands need not

    if not size:
        raise Invalid(f"{path} is empty: must hold word vectors")
    kind = _kind(path) if layout == "detect" else layout
    try:
        vectors = KeyedVectors.load_word2vec_format(
            str(path), binary=kind == "binary", no_header=kind == "glove"
        )
    except (ValueError, EOFError, UnicodeDecodeError, IndexError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        valid = "complete, with as many numbers in each row"
        raise Invalid(f"{path} cannot be read as {kind} ({why}): must be {valid}") from None
    rows: NDArray[np.float32] = vectors.vectors
    # gensim repeats the number of a row that has one alone.
    if rows.shape[1] > 1 and len(
        alike := np.flatnonzero((rows == rows[:, :1]).all(1) & (rows[:, 0] != 0))
    ):
        word = vectors.index_to_key[alike[0]]
        raise Invalid(f"{path} has one number for {word!r}: must be {rows.shape[1]} in each row")
    return Table(vectors.key_to_index, rows, str(path))


def _kind(path: Path) -> Layout:
    if path.name.removesuffix(".gz").endswith(".bin"):
        return "binary"
    with path.open("rb") as file:
        first = file.readline(100).split()
    return "word2vec" if len(first) == 2 and all(map(bytes.isdigit, first)) else "glove"
