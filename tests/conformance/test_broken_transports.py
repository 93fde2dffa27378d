"""Broken transports: each breaks one thing, and the kit says which and what would be right."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from adapters.protocol import (
    Batch,
    Capabilities,
    Delivery,
    Evaluator,
    EvaluatorError,
    Incoming,
    Outcome,
    OutcomeStatus,
    Sample,
    Ticket,
)
from adapters.testing import EvaluatorConformance
from tests.sound_transport import SECRET, Laboratory, Post, sign


class AnswersWithoutBeingAsked(Post):
    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        return super().receive(tickets) if tickets else [Delivery("news", b"{}")]


class KeepsTicketsInMemory(Post):
    def __init__(self, laboratory: Laboratory) -> None:
        super().__init__(laboratory)
        self.mine: set[str] = set()

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        tickets = super().submit(batch)
        self.mine |= {ticket.reference for ticket in tickets}
        return tickets

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        return super().receive([t for t in tickets if t.reference in self.mine])


class ForgetsWhenRestarted(Post):
    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        return [] if self.laboratory.looks else super().receive(tickets)


class StumblesOverALostTicket(Post):
    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        for ticket in tickets:
            ticket.reference.split()[1]
        return super().receive([t for t in tickets if t.reference in self.laboratory.runs])


class StopsAtALostTicket(Post):
    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        whole = all(ticket.reference for ticket in tickets)
        return super().receive(tickets) if whole else []


class GivesNumbersForReferences(Post):
    def submit(self, batch: Batch) -> Sequence[Ticket]:
        return [replace(t, reference=7) for t in super().submit(batch)]  # type: ignore[arg-type]


class GivesReferencesWithNul(Post):
    def submit(self, batch: Batch) -> Sequence[Ticket]:
        return [replace(t, reference=f"{t.reference}\0") for t in super().submit(batch)]


class FindsJobsByPlace(Post):
    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        (one,) = super().parse(delivery)
        # The value of whichever job's ticket comes first.
        place = [ticket.job for ticket in delivery.tickets].index(one.job)
        shifted = tuple(replace(r, value=r.value + place) for r in one.readings)
        return [replace(one, readings=shifted)]


class ReadsByName(Post):
    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        (one,) = super().parse(delivery)
        if delivery.reference.endswith("again"):
            return [replace(one, status=OutcomeStatus.FAILED, readings=(), reason="twice")]
        return [one]


class ForgetsAllAtOnce(Post):
    def acknowledge(self, delivery: Delivery) -> None:
        self.laboratory.done |= set(self.laboratory.runs)


class CutsABatch(Post):
    def submit(self, batch: Batch) -> Sequence[Ticket]:
        return super().submit(replace(batch, jobs=batch.jobs[:2]))


class BreaksOnALargeBatch(Post):
    def submit(self, batch: Batch) -> Sequence[Ticket]:
        if len(batch.jobs) > 2:
            raise IndexError("plate")
        return super().submit(batch)


class LetsNothingThrough(Post):
    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, in_flight=0)


class LearnsItsVersion(Post):
    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, version=f"after {len(self.laboratory.done)}")

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        self.laboratory.done.add("opened")
        return super().receive(tickets)


class BreaksOnALateCancel(Post):
    def cancel(self, tickets: Sequence[Ticket]) -> None:
        if tickets:
            raise TimeoutError("it has run")


class StampsInSeconds(Post):
    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        return [
            replace(o, readings=tuple(replace(r, measured_at=1.5) for r in o.readings))  # type: ignore[arg-type]
            for o in super().parse(delivery)
        ]


class StampsBeyondTime(Post):
    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        return [
            replace(o, readings=tuple(replace(r, measured_at=2**70) for r in o.readings))
            for o in super().parse(delivery)
        ]


class ShowsItsSecret(Post):
    def __repr__(self) -> str:
        return f"Post(password={SECRET!r})"


class TellsItsSecretInErrors(Post):
    def check(self, measures: Sequence[str]) -> None:
        try:
            super().check(measures)
        except EvaluatorError as error:
            raise EvaluatorError(f"{error} at https://me:{SECRET}@lab") from error


class HandsRefusedOverAgain(Post):
    def refuse(self, delivery: Delivery, reason: str) -> None:
        return None


class RefusesOnce(Post):
    def refuse(self, delivery: Delivery, reason: str) -> None:
        if delivery.reference in self.laboratory.done:
            raise FileNotFoundError(delivery.reference)
        super().refuse(delivery, reason)


class TrustsEverybody(Post):
    def accept(self, incoming: Incoming) -> Delivery:
        return Delivery("callback", incoming.body)


class StumblesOverStrangers(Post):
    def accept(self, incoming: Incoming) -> Delivery:
        json.loads(incoming.body)
        return super().accept(incoming)


class RewritesCallbacks(Post):
    def accept(self, incoming: Incoming) -> Delivery:
        return replace(super().accept(incoming), body=b"{}")


class TellsOfRuns(Post):
    def progress(self, tickets: Sequence[Ticket]) -> Mapping[str, str]:
        return {ticket.reference: "running" for ticket in tickets}


class CountsProgress(Post):
    def progress(self, tickets: Sequence[Ticket]) -> Mapping[str, str]:
        return {ticket.job: 40 for ticket in tickets}  # type: ignore[misc]


class IsAlwaysWell(Post):
    def health(self) -> str:
        return "well"


class LosesItsConnection(Post):
    def health(self) -> str:
        if not self.laboratory.up:
            raise ConnectionRefusedError("111")
        return "the laboratory answers"


class IsWellInSilence(Post):
    def health(self) -> str:
        super().health()
        return ""


class ClosesOnce(Post):
    def close(self) -> None:
        if self.closed:
            raise ValueError("closed already")
        super().close()


BROKEN: list[tuple[Callable[[Laboratory], Evaluator], str, str]] = [
    (AnswersWithoutBeingAsked, "asking_before_anything_is_submitted_gives_nothing", "that nobody"),
    (KeepsTicketsInMemory, "a_restarted_evaluator_goes_on_with_the_old_tickets", "tickets alone"),
    (
        ForgetsWhenRestarted,
        "a_restarted_counterpart_goes_on",
        "counterpart was restarted, it gives",
    ),
    (StumblesOverALostTicket, "a_lost_ticket_harms_no_other_job", "IndexError.*must not raise"),
    (StopsAtALostTicket, "a_lost_ticket_harms_no_other_job", "go on with the others"),
    (GivesNumbersForReferences, "references_survive_storing", "reference 7; give text"),
    (GivesReferencesWithNul, "references_survive_storing", "give text without NUL"),
    (FindsJobsByPlace, "tickets_in_any_order_read_alike", "by its ticket, never by its place"),
    (ReadsByName, "a_delivery_read_twice_says_the_same", "not how it is called"),
    (ForgetsAllAtOnce, "part_of_a_batch_can_be_acknowledged", "only what was acknowledged"),
    (CutsABatch, "batches_that_are_too_large_lose_no_job", "of 3 jobs 1 have no ticket"),
    (BreaksOnALargeBatch, "batches_that_are_too_large_lose_no_job", "IndexError.*EvaluatorError"),
    (
        LetsNothingThrough,
        "in_flight_is_a_limit_that_lets_a_job_through",
        "in_flight is 0; at least",
    ),
    (LearnsItsVersion, "capabilities_are_constant", "follow from the options alone"),
    (BreaksOnALateCancel, "cancelling_crosses_the_result", "TimeoutError.*must not raise"),
    (StampsInSeconds, "clocks_that_are_wrong_are_handed_through", "1.5; give whole microseconds"),
    (StampsBeyondTime, "clocks_that_are_wrong_are_handed_through", "which no database holds"),
    (ShowsItsSecret, "secrets_are_never_shown", "repr shows a secret; leave credentials out"),
    (TellsItsSecretInErrors, "secrets_are_never_shown", "the error of check shows a secret"),
    (HandsRefusedOverAgain, "what_was_refused_does_not_come_again", "refused and came again"),
    (RefusesOnce, "what_was_refused_does_not_come_again", "second time, raised FileNotFoundError"),
    (TrustsEverybody, "callbacks_of_strangers_are_refused", "unsigned.*raise UntrustedError"),
    (
        StumblesOverStrangers,
        "callbacks_of_strangers_are_refused",
        "JSONDecodeError.*UntrustedError",
    ),
    (RewritesCallbacks, "signed_callbacks_are_accepted", "the request's, byte for byte"),
    (TellsOfRuns, "progress_tells_of_submitted_jobs_only", "use the job's key"),
    (CountsProgress, "progress_tells_of_submitted_jobs_only", "is no text; say it in words"),
    (IsAlwaysWell, "health_of_what_is_not_there_is_an_error_of_ours", "said 'well'; raise"),
    (LosesItsConnection, "health_of_what_is_not_there_is_an_error_of_ours", "EvaluatorError, no"),
    (IsWellInSilence, "health_answers_in_words", "say who answered, for a person"),
    (ClosesOnce, "closing_twice_is_harmless", "second time, raised ValueError"),
]


def bench_of(made: Callable[[Laboratory], Evaluator]) -> EvaluatorConformance:
    """The kit for a transport to a laboratory of its own."""
    laboratory = Laboratory()

    class Kit(EvaluatorConformance):
        patience = 0.2

        def evaluator(self) -> Evaluator:
            return made(laboratory)

        def samples(self) -> Sequence[Sample]:
            texts = ('{"x": 3}', '{"x": 14.5}', '{"y": 1}', '{"x": 80}', '{"x": 0}')
            return [Sample("parameters", text) for text in texts]

        def non_finite_samples(self) -> Sequence[Sample]:
            return [Sample("parameters", '{"x": NaN}')]

        def target(self) -> object:
            return lambda: made(laboratory)

        def restart_counterpart(self) -> bool:
            laboratory.looks += 1
            return True

        def unreachable(self) -> Evaluator:
            gone = Laboratory()
            gone.up = False
            return made(gone)

        def signed_callback(self) -> Incoming:
            body = b'{"run": "run 1", "value": 3}'
            return Incoming(body, {"x-signature": sign(body)})

        def secrets(self) -> Sequence[str]:
            return [SECRET]

    return Kit()


CHECKS = sorted(name for name in dir(EvaluatorConformance) if name.startswith("test_"))


@pytest.mark.parametrize(
    ("broken", "check", "message"),
    BROKEN,
    ids=[b.__name__ for b, _, _ in BROKEN],
)
def test_the_kit_finds_it(
    broken: Callable[[Laboratory], Evaluator], check: str, message: str
) -> None:
    """An author reads what is wrong and what would be right."""
    with pytest.raises(pytest.fail.Exception, match=message):
        getattr(bench_of(broken), f"test_{check}")()


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.filterwarnings("ignore::adapters.testing.LeftOut")
def test_the_kit_passes_what_they_are_made_from(check: str) -> None:
    """Otherwise the failures above would prove nothing."""
    getattr(bench_of(Post), check)()


def test_each_check_of_transports_is_failed_by_somebody() -> None:
    """A check that nothing fails may check nothing."""
    from adapters.testing.manners import MannersChecks
    from adapters.testing.transport import TransportChecks

    ours = {n for c in (MannersChecks, TransportChecks) for n in vars(c) if n.startswith("test_")}
    assert ours == {f"test_{check}" for _, check, _ in BROKEN}
