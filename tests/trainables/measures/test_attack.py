import pytest
import torch

from trainables.measures.attack import Fgsm, Pgd
from trainables.measures.measure import Finished
from trainables.measures.top_k import TopK


def test_without_any_change_it_is_the_clean_accuracy(finished: Finished) -> None:
    clean = TopK(k=1)(finished)["accuracy"]
    assert Fgsm(eps=0)(finished)["accuracy"] == pytest.approx(clean, abs=1e-6)
    assert Pgd(eps=0, steps=2)(finished)["accuracy"] == pytest.approx(clean, abs=1e-6)


def test_an_attack_lowers_the_accuracy_and_pgd_more_than_fgsm(finished: Finished) -> None:
    clean = TopK(k=1)(finished)["accuracy"]
    fgsm = Fgsm(eps=16 / 255)(finished)["accuracy"]
    pgd = Pgd(eps=16 / 255, steps=10, random_start=False)(finished)["accuracy"]
    assert pgd <= fgsm < clean


def test_eps_is_a_share_of_the_pixels_range(finished: Finished) -> None:
    """Seen by the nets: 8/255 of the range is 8 grey levels, over std in units of the net."""
    batch = next(iter(finished.pixels()))
    assert batch.x.max() == 255
    method = finished.method()
    attack = Fgsm(eps=8 / 255)
    changed = attack.attacked(
        lambda x: method.predict(finished.normalised(x)), batch.x, batch.y, torch.Generator()
    )
    assert (changed - batch.x).abs().max() == pytest.approx(8)
    seen = (finished.normalised(changed) - finished.normalised(batch.x)).abs().max()
    assert float(seen) == pytest.approx(8 / (0.376 * 255), rel=1e-4)


def test_the_trained_method_is_left_as_it_was(finished: Finished) -> None:
    method = finished.method()
    before = {name: value.clone() for name, value in method.model.state_dict().items()}
    Pgd(eps=0.1, steps=2)(finished)
    assert all(p.requires_grad for p in method.model.parameters())
    assert all(p.grad is None for p in method.model.parameters())
    after = method.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
