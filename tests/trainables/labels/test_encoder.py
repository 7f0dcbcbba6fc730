"""Vectors of a tiny language model of random weights, against its hidden states."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from trainables.labels.encoder import Encoder
from trainables.settings import Invalid, Missing, Use

transformers = pytest.importorskip("transformers")

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "sea", "li", "##on"]
CAT, SEA, LI, ON = 5, 6, 7, 8
CLS, SEP = 2, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model in "tiny"."""
    root = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        num_hidden_layers=2,
        hidden_size=8,
        num_attention_heads=2,
        intermediate_size=8,
    )
    transformers.BertModel(config).save_pretrained(root / "tiny")
    (root / "vocab.txt").write_text("\n".join(VOCABULARY))
    transformers.BertTokenizer(str(root / "vocab.txt")).save_pretrained(root / "tiny")
    return root


def states(folder: Path, tokens: list[int], layer: int = -1) -> Tensor:
    """(tokens, 8)"""
    model = transformers.AutoModel.from_pretrained(folder / "tiny").eval()
    with torch.no_grad():
        out = model(torch.tensor([tokens]), output_hidden_states=True)
    found: Tensor = out.hidden_states[layer][0]
    return found


def vector(folder: Path, name: str, **settings: object) -> Tensor:
    found: Tensor = Use(Encoder, path="tiny", **settings).build()((name,), folder, 0)
    return found[0]


def test_a_vector_is_the_mean_of_the_words_tokens_without_special_ones(folder: Path) -> None:
    lion = states(folder, [CLS, LI, ON, SEP])
    torch.testing.assert_close(vector(folder, "lion"), lion[1:3].mean(0))
    torch.testing.assert_close(vector(folder, "lion", special=True), lion.mean(0))
    torch.testing.assert_close(vector(folder, "lion", pooling="first"), lion[1])
    between = torch.cat([lion[0], lion[1:3].mean(0), lion[3]])
    torch.testing.assert_close(vector(folder, "lion", pooling="between"), between)
    first = states(folder, [CLS, LI, ON, SEP], layer=0)
    torch.testing.assert_close(vector(folder, "lion", layer=0), first[1:3].mean(0))


def test_words_are_encoded_one_by_one_or_together(folder: Path) -> None:
    sea = states(folder, [CLS, SEA, SEP])[1]
    lion = states(folder, [CLS, LI, ON, SEP])[1:3].mean(0)
    torch.testing.assert_close(vector(folder, "sea_lion"), (sea + lion) / 2)
    both = states(folder, [CLS, SEA, LI, ON, SEP])[1:4].mean(0)
    torch.testing.assert_close(vector(folder, "sea_lion", together=True), both)


def test_the_same_vectors_every_time(folder: Path) -> None:
    assert torch.equal(vector(folder, "cat"), vector(folder, "cat"))


def test_the_models_files_enter_the_checksum(folder: Path) -> None:
    use = Use(Encoder, path="tiny")
    before = use.resolved(folder).checksums
    (folder / "tiny" / ".DS_Store").touch()
    assert use.resolved(folder).checksums == before
    (folder / "tiny" / "more.json").write_text("{}")
    assert use.resolved(folder).checksums != before


def test_what_is_no_model_is_refused(folder: Path) -> None:
    with pytest.raises(Missing, match="none is missing: a folder with a model"):
        Use(Encoder, path="none").resolved(folder)
    with pytest.raises(Missing, match="package nothing_here is missing: pip install nothing_here"):
        Use(Encoder, path="package:nothing_here").resolved(folder)
    (folder / "empty").mkdir()
    with pytest.raises(Missing, match=r"config\.json is missing"):
        Use(Encoder, path="empty").resolved(folder)
    (folder / "empty" / "config.json").write_text("{}")
    with pytest.raises(Invalid, match="empty cannot be read"):
        Use(Encoder, path="empty").build()(("cat",), folder, 0)


def test_a_layer_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(Invalid, match=r"Encoder.layer = 3: must lie in \[-3, 2\]"):
        vector(folder, "cat", layer=3)


def test_its_demo_is_another_embedded_set_of_vectors() -> None:
    demo = Use(Encoder, path="tiny").demo()
    assert (demo.name, demo["size"]) == ("Embedded", 50)
