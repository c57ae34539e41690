"""All forms of a Flux job id are one number, and its run id is f58 with a plain f."""

from __future__ import annotations

import pytest
from datacrumbs.flux import jobid

# `flux job id --to=…` of Flux 0.88.
KNOWN = [(0, "f1"), (1, "f2"), (57, "fz"), (58, "f21"), (8774483968, "fENNXPM"), (59810775040, "f2a8GreK")]


@pytest.mark.parametrize(("number", "plain"), KNOWN)
def test_forms(number: int, plain: str) -> None:
    assert jobid.f58(number) == plain
    for form in (plain, f"ƒ{plain[1:]}", str(number), hex(number)):
        assert jobid.parse(form) == number


def test_every_number_comes_back() -> None:
    for number in [(1 << 64) - 1, *(3**n for n in range(40))]:
        assert jobid.parse(jobid.f58(number)) == number


@pytest.mark.parametrize("text", ["", "f", "ƒ", "f0", "fO", "fl", "x1", "-1", "1.5", "47;", "f" + "z" * 12, "9" * 21])
def test_other_words_are_no_job_ids(text: str) -> None:
    assert jobid.parse(text) is None
