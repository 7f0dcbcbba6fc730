import pytest
import workers


@pytest.mark.slow
def test_two_workers_are_measured_beside_one(capfd: pytest.CaptureFixture[str]) -> None:
    assert workers.main(["--repeats", "1", "--batch-size", "8"]) in (0, 1)
    assert "two workers / one, ResNet-18" in capfd.readouterr().out
