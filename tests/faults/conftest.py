"""What the kill tests share."""

from __future__ import annotations

import pytest

from tests.faults.seed import SEED, Say


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str]) -> Say:
    """Prints past pytest, so that the seed is known of a run that passes, too."""

    def print_now(line: str) -> None:
        with capfd.disabled():
            print(f"\nfaults: {line}, FAULTS_SEED={SEED}", flush=True)

    return print_now
