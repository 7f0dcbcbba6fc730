import pytest
from commands import main


@pytest.mark.slow
def test_a_small_bench_of_two_commands_trains_each_trial_once(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["--trials", "4", "--slots", "1", "--wait", "0.01"]) in (0, 1)
    said = capfd.readouterr().out
    assert "4 trials by one command in " in said
    assert "two commands / one" in said
