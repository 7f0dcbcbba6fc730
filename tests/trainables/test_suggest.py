"""What every part and the recipe offer to a search."""

import pytest

from study.grids.recipes import KESL_CUB
from study.search.space import PARTS
from trainables.heads.head import Head
from trainables.losses.loss import Loss
from trainables.methods.method import Method
from trainables.recipe import Recipe
from trainables.settings import Use, branches, classes_of, keywords_of
from trainables.targets.targets import Targets

KINDS = dict(zip(PARTS, (Head, Targets, Loss, Method), strict=True))
CLASSES = [cls for kind in KINDS.values() for cls in classes_of(kind).values()]


@pytest.mark.parametrize("part", CLASSES)
def test_a_part_offers_something_or_says_why_not(part: type) -> None:
    assert ("suggest" in vars(part)) != bool(vars(part).get("nothing_to_search"))


@pytest.mark.parametrize("part", [cls for cls in CLASSES if hasattr(cls, "suggest")])
def test_what_a_part_offers_are_its_keywords_at_valid_values(part: type) -> None:
    for explorer, settings in branches(part.suggest):
        assert set(explorer.asked) <= set(settings) <= set(keywords_of(part))
        assert dict(Use(part, **settings).items).items() >= settings.items()


def test_what_the_recipe_offers_is_valid() -> None:
    for explorer, settings in branches(Recipe.suggest):
        assert set(explorer.asked) == set(settings) == {"lr", "weight_decay"}
        assert KESL_CUB.but(**settings).lr == settings["lr"]
