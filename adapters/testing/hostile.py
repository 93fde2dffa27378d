"""Checks of what an evaluator does with input that is odd, huge, or not its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from adapters.protocol import (
    Delivery,
    Evaluator,
    EvaluatorError,
    OptionError,
    OutcomeStatus,
    Sample,
    Ticket,
)
from adapters.registry import build
from adapters.testing.bench import Bench, exchange, fail, jobs_for, leave_out, require, tolerated

UNICODE = "☃ µM 你好 \U0001f9ea e\u0301 \u202eabc"
"""Symbols, other scripts, an astral character, a combining accent, a change of direction."""
HUGE = 4_000_000
"""Characters or bytes of the huge sample."""


class HostileChecks(Bench):
    """Nothing that is thrown at an evaluator may harm more than itself."""

    def test_an_unknown_ticket_gives_nothing(self) -> None:
        """After a restore from a backup the core may ask for what was never submitted."""
        evaluator = self.evaluator()
        ticket = Ticket(job="no-such-campaign/1/none/1", reference="no such run")
        found = tolerated("receive of an unknown ticket", evaluator.receive, [ticket])
        require(not found, f"receive of an unknown ticket gave {found!r}; give nothing")

    def test_an_unreadable_delivery_is_refused(self) -> None:
        """Bytes that a fault on the line has changed must not become a value."""
        evaluator = self.evaluator()
        for body in (b"", b"\xff\xfe\x00garbage", b'{"results": [', b"[" * 100_000, b"null"):
            delivery = Delivery(reference="garbage", body=body)
            what = f"parse of {body[:20]!r}"
            outcomes = tolerated(what, evaluator.parse, delivery)
            for outcome in outcomes or ():
                require(
                    outcome.status is not OutcomeStatus.SUCCEEDED,
                    f"{what} gave {outcome!r}; raise EvaluatorError for what cannot be read",
                )

    def test_unicode_in_a_sample_is_survived(self) -> None:
        """Names from other scripts reach an evaluator sooner or later."""
        self._throw("a sample of odd characters", UNICODE)

    def test_a_huge_sample_is_survived(self) -> None:
        """One degenerate candidate must not take the campaign with it."""
        self._throw(f"a sample of {HUGE} characters", "C" * HUGE)

    def test_an_empty_sample_is_survived(self) -> None:
        """Neither must one without content."""
        self._throw("an empty sample", "")

    def test_a_sample_of_another_kind_is_refused(self) -> None:
        """A spec may pair a space with an evaluator that cannot see its objects."""
        evaluator = self.evaluator()
        jobs = jobs_for(evaluator, [replace(self.samples()[0], kind="no such kind")])
        what = "a sample of an unknown kind"
        done = tolerated(what, exchange, evaluator, jobs, self.patience)
        for outcome in done.outcomes if done else ():
            require(
                outcome.status is not OutcomeStatus.SUCCEEDED,
                f"a sample of kind 'no such kind' was measured: {outcome!r}; reject it",
            )

    def test_nan_and_infinity_are_readings(self) -> None:
        """What has no finite value is a finding; the campaign says what to make of it."""
        samples = self.non_finite_samples()
        if not samples:
            leave_out("NaN and infinity: non_finite_samples() gives none")
            return
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, samples), self.patience)
        for outcome in done.outcomes:
            require(
                any(not math.isfinite(reading.value) for reading in outcome.readings),
                f"job {outcome.job!r} should have a reading of NaN or infinity, but "
                f"{outcome.status} with {outcome.readings!r} {outcome.reason!r}; "
                "hand such values through as they are",
            )

    def test_an_unknown_option_is_refused(self) -> None:
        """A misspelt option that is ignored makes a campaign measure something else."""
        name = self.evaluator().capabilities.name
        try:
            build(self.target(), name, {"no_such_option": 1})
        except OptionError:
            return
        except EvaluatorError as error:
            fail(f"an unknown option raised {error!r}; raise OptionError, which names it")
        fail("the option 'no_such_option' was accepted; refuse what is unknown")

    def _throw(self, what: str, content: str) -> None:
        """One odd sample: it is answered or refused, and the next good ones are as before."""
        evaluator = self.evaluator()
        good = self.samples()
        for sample in (Sample(good[0].kind, content), Sample(good[0].kind, content.encode())):
            jobs = jobs_for(evaluator, [sample])
            tolerated(what, exchange, evaluator, jobs, self.patience)
        before, after = (_statuses(e, good, self.patience) for e in (self.evaluator(), evaluator))
        require(after == before, f"after {what} good samples ended {after}, before it {before}")


def _statuses(evaluator: Evaluator, samples: Sequence[Sample], patience: float) -> list[str]:
    """How the samples end, in order."""
    jobs = jobs_for(evaluator, samples)
    outcomes = exchange(evaluator, jobs, patience).by_job
    return [outcomes[job.key].status.value for job in jobs]
