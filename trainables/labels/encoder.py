"""A language model of BERT's family as the source of class vectors; needs the extra `bert`."""

from collections.abc import Sequence
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from trainables.labels.words import ClassVectors, Embedded, pieces
from trainables.settings import Files, Invalid, Missing, Use

PACKAGE = "package:"
BERT_SIZE = 50  # numbers of the embedded vectors that stand for BERT's at demo scale


class Encoder(ClassVectors):
    """Hidden states of a model in transformers' format, one vector a class name.

    `path` is its folder, or `package:NAME` for a Python package that holds it. `layer` -1 is the
    last hidden layer. `pooling` takes the mean of a word's tokens there, or the first. `special`
    counts those that the tokenizer adds. Of those "between" takes the first and the last, [CLS] and
    [SEP], and the mean of the word's between them: three times as many numbers. The words of a name
    are encoded one by one and averaged, or together as one text (`together`).
    """

    def __init__(
        self,
        *,
        path: str,
        layer: int = -1,
        pooling: Literal["mean", "first", "between"] = "mean",
        special: bool = False,
        together: bool = False,
    ) -> None:
        self.path, self.layer, self.pooling = path, layer, pooling
        self.special, self.together = special, together

    @classmethod
    def files(cls, folder: Path, *, path: str, **_: object) -> dict[str, Files]:
        root = place_of(folder, path)
        names = [each.name for each in root.iterdir() if each.is_file() and each.name[0] != "."]
        if "config.json" not in names:
            raise Missing(f"{root / 'config.json'} is missing: a model's folder has it")
        return {"path": Files(root, sorted(names))}

    @classmethod
    def demo(cls, use: Use) -> Use:
        """The first numbers of the embedded vectors: a stand-in that is another set of vectors."""
        return Use(Embedded, size=BERT_SIZE)

    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        tokenizer, model = load(place_of(folder, self.path))
        return torch.stack([self._vector(name, tokenizer, model) for name in names])

    @torch.no_grad()
    def _vector(self, name: str, tokenizer: Any, model: Any) -> Tensor:
        words = pieces(name)
        texts = [" ".join(words)] if self.together else words
        return torch.stack([self._pooled(text, tokenizer, model) for text in texts]).mean(0)

    def _pooled(self, text: str, tokenizer: Any, model: Any) -> Tensor:
        """(size,), or three times as many."""
        coded = tokenizer(text, return_tensors="pt", return_special_tokens_mask=True)
        ordinary = coded.pop("special_tokens_mask")[0] == 0
        layers = model(**coded, output_hidden_states=True).hidden_states
        if not -len(layers) <= self.layer < len(layers):
            valid = f"in [{-len(layers)}, {len(layers) - 1}], the layers of {self.path}"
            raise Invalid(f"Encoder.layer = {self.layer}: must lie {valid}")
        states: Tensor = layers[self.layer][0]
        if not ordinary.any():
            raise Invalid(f"Encoder.path = {self.path}: must have a token for {text!r}")
        if self.pooling == "between":
            return torch.cat([states[0], states[ordinary].mean(0), states[-1]])
        states = states if self.special else states[ordinary]
        return states[0] if self.pooling == "first" else states.mean(0)


def place_of(folder: Path, path: str) -> Path:
    """The folder of a model. Raises Missing where there is none."""
    if path.startswith(PACKAGE):
        name = path.removeprefix(PACKAGE)
        if find_spec(name) is None:
            raise Missing(f"the Python package {name} is missing: pip install {name}")
        return Path(str(resources.files(name)))
    root = folder / path
    if not root.is_dir():
        raise Missing(f"{root} is missing: a folder with a model in transformers' format")
    return root


def load(root: Path) -> tuple[Any, Any]:
    """Tokenizer and model. Raises Invalid without transformers, or for what it cannot read."""
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError:
        how = "pip install 'label-studies[bert]'"
        raise Invalid(f"Encoder needs the package transformers: {how}") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(root, local_files_only=True)
        return tokenizer, AutoModel.from_pretrained(root, local_files_only=True).eval()
    except (OSError, ValueError, KeyError) as error:
        why = str(error).splitlines()[0]
        raise Invalid(f"{root} cannot be read ({why}): must hold a model and tokenizer") from None
