"""Checks of what happens on the way: batches, order, repeats, restarts, and what is said of it.

The core set here runs whatever the capabilities claim.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from adapters.protocol import Batch, Evaluator, EvaluatorError, Outcome, Ticket
from adapters.testing.bench import (
    Bench,
    exchange,
    fail,
    gist,
    guarded,
    jobs_for,
    leave_out,
    parse,
    receive,
    require,
    submit,
)

ROUNDS = 3
"""Capabilities are asked for so often in one check."""
MOST = 1000
"""The largest batch that a check submits."""


class TransportChecks(Bench):
    """A transport is late, repeats itself and dies; none of that may change a value."""

    def test_asking_before_anything_is_submitted_gives_nothing(self) -> None:
        """A driver asks at every pass, the first too."""
        found = guarded("receive of no ticket", self.evaluator().receive, [])
        require(
            not found, f"receive of no ticket gave {list(found)!r}; give nothing that nobody awaits"
        )

    def test_a_restarted_evaluator_goes_on_with_the_old_tickets(self) -> None:
        """A driver is killed after submitting; the next one has the tickets, and nothing else."""
        first = self.evaluator()
        if first.capabilities.synchronous:
            leave_out("restart: capabilities.synchronous is True, results come with submit")
            return
        tickets = submit(first, jobs_for(first, self.samples()))
        del first  # what it remembers is gone
        stored = [Ticket(t.job, json.loads(json.dumps(t.reference))) for t in tickets]
        self._require_all_answered(self.evaluator(), stored, "a restarted evaluator")

    def test_a_restarted_counterpart_goes_on(self) -> None:
        """Instruments are switched off and on; what they took must not be lost unsaid."""
        evaluator = self.evaluator()
        tickets = submit(evaluator, jobs_for(evaluator, self.samples()))
        if not self.restart_counterpart():
            leave_out("restart of the counterpart: restart_counterpart() gives False")
            return
        self._require_all_answered(evaluator, tickets, "after the counterpart was restarted, it")

    def test_a_lost_ticket_harms_no_other_job(self) -> None:
        """The line broke after the batch was taken: of some jobs the core has no reference."""
        evaluator = self.evaluator()
        jobs = jobs_for(evaluator, self.samples())
        tickets = submit(evaluator, jobs)
        bare = Ticket(tickets[0].job)
        what = "receive with a ticket whose reference was lost"
        guarded(what, evaluator.receive, [bare, *tickets[1:]])
        if evaluator.capabilities.synchronous:
            return
        keys = {ticket.job for ticket in tickets[1:]}
        _, outcomes = receive(evaluator, [bare, *tickets[1:]], self.patience, keys)
        missing = sorted(keys - {outcome.job for outcome in outcomes})
        require(
            not missing,
            f"{what} leaves {missing} without an answer; give nothing for that ticket, or find its "
            "job by the key, and go on with the others",
        )

    def test_references_survive_storing(self) -> None:
        """The core stores a ticket's reference as text, and hands back what it stored."""
        evaluator = self.evaluator()
        for ticket in submit(evaluator, jobs_for(evaluator, self.samples())):
            said: object = ticket.reference
            require(
                isinstance(said, str) and "\0" not in said and _encodes(said),
                f"the ticket of job {ticket.job!r} has the reference {said!r}; give text without "
                "NUL and lone surrogates, as every database can store it",
            )

    def test_tickets_in_any_order_read_alike(self) -> None:
        """The core hands over all tickets of the batches, and promises no order of the batch."""
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        mixed = list(done.tickets)
        random.Random(1).shuffle(mixed)  # noqa: S311
        for delivery in done.deliveries:
            straight = _gists(parse(evaluator, delivery, done.tickets))
            for tickets in (mixed, list(reversed(done.tickets))):
                other = _gists(guarded("parse", parse, evaluator, delivery, tickets))
                require(
                    other == straight,
                    f"delivery {delivery.reference!r} says {other} with its tickets in another "
                    f"order, and {straight} before; find a job by its ticket, never by its place",
                )

    def test_a_delivery_read_twice_says_the_same(self) -> None:
        """A duplicate delivery is found by its bytes saying the same of the same job."""
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        for delivery in done.deliveries:
            again = replace(delivery, reference=f"{delivery.reference} again")
            once, twice = (_gists(parse(evaluator, d, done.tickets)) for d in (delivery, again))
            require(
                once == twice,
                f"delivery {delivery.reference!r} says {once}, and {twice} where it comes again "
                "under another reference; read its bytes, not how it is called",
            )

    def test_part_of_a_batch_can_be_acknowledged(self) -> None:
        """Some wells are read today, others tomorrow; what was stored must not hide the rest."""
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        first, *rest = done.deliveries
        guarded("acknowledge of one delivery", evaluator.acknowledge, first)
        left = {d.reference for d in evaluator.receive(done.tickets)}
        lost = [d.reference for d in rest if d.reference not in left]
        require(
            not lost,
            f"once {first.reference!r} was acknowledged, {lost} were gone too; forget only what "
            "was acknowledged",
        )
        require(
            first.reference not in left,
            f"delivery {first.reference!r} was acknowledged and came again; forget it",
        )

    def test_batches_that_are_too_large_lose_no_job(self) -> None:
        """Jobs that fall off the end of a plate silently are lost samples."""
        evaluator = self.evaluator()
        size = evaluator.capabilities.batch_size
        if size > MOST:
            leave_out(f"batches that are too large: batch_size is {size}")
            return
        good = list(self.samples())
        jobs = jobs_for(evaluator, (good * (size // len(good) + 1))[: size + 1])
        try:
            taken = evaluator.submit(Batch("too large", tuple(jobs)))
        except EvaluatorError:
            return
        except Exception as error:
            fail(
                f"a batch that is too large raised {type(error).__name__}: {error}; "
                "raise EvaluatorError, which says that nothing of it was taken"
            )
        lost = {job.key for job in jobs} - {ticket.job for ticket in taken}
        require(
            not lost,
            f"of {len(jobs)} jobs {len(lost)} have no ticket, batch_size is {size}; take all, or "
            "raise EvaluatorError and take none",
        )

    def test_in_flight_is_a_limit_that_lets_a_job_through(self) -> None:
        """The core keeps to it; at the limit, everything must still be answered."""
        evaluator = self.evaluator()
        limit = evaluator.capabilities.in_flight
        if limit is None:
            leave_out("in_flight: capabilities.in_flight is None")
            return
        require(limit >= 1, f"in_flight is {limit}; at least one job must be let through, or None")
        good = list(self.samples())
        jobs = jobs_for(evaluator, (good * limit)[: min(limit, 16)])
        exchange(evaluator, jobs, self.patience)

    def test_capabilities_are_constant(self) -> None:
        """They are read at every pass; what changes under way would change a campaign."""
        evaluator = self.evaluator()
        before = evaluator.capabilities
        exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        for _ in range(ROUNDS):
            after = evaluator.capabilities
            require(
                after == before,
                f"capabilities were {before} and are {after} after measuring; they must follow "
                "from the options alone",
            )

    def test_cancelling_crosses_the_result(self) -> None:
        """The result may be there already when the cancellation comes."""
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        # Whatever it claims: the core calls it on a job's last leg, and must not be harmed.
        guarded("cancel of what was answered", evaluator.cancel, done.tickets)
        guarded("cancel of nothing", evaluator.cancel, [])
        there = guarded("receive after a late cancel", evaluator.receive, done.tickets)
        strange = {o.job for d in there for o in parse(evaluator, d, done.tickets)}
        strange -= {ticket.job for ticket in done.tickets}
        require(
            not strange, f"after a late cancel there are outcomes of {strange}, never submitted"
        )

    def test_clocks_that_are_wrong_are_handed_through(self) -> None:
        """An instrument's clock is what it is; the core keeps what it says and its own time."""
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        for outcome in done.outcomes:
            for reading in outcome.readings:
                at: object = reading.measured_at
                require(
                    at is None or (isinstance(at, int) and not isinstance(at, bool)),
                    f"reading {reading.name!r} has measured_at {at!r}; give whole microseconds UTC "
                    "since 1970, or None where the instrument does not say",
                )
                require(
                    at is None or -(2**63) <= int(str(at)) < 2**63,
                    f"reading {reading.name!r} has measured_at {at!r}, which no database holds; "
                    "give microseconds UTC since 1970",
                )

    def test_secrets_are_never_shown(self) -> None:
        """What is shown once stands in a log for ever."""
        planted = [secret for secret in self.secrets() if secret]
        if not planted:
            leave_out("secrets: secrets() names none")
            return
        evaluator = self.evaluator()
        said = {"repr": repr(evaluator), "capabilities": repr(evaluator.capabilities)}
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        said |= {f"the ticket of {t.job!r}": repr(t) for t in done.tickets}
        said |= {f"the delivery {d.reference!r}": repr(d) for d in done.deliveries}
        said["the error of check"] = _error_of(evaluator)
        for where, text in said.items():
            # The secret itself is not repeated here either.
            require(
                not any(secret in text for secret in planted),
                f"{where} shows a secret; leave credentials out, name where they are kept",
            )

    def _require_all_answered(
        self, evaluator: Evaluator, tickets: Sequence[Ticket], who: str
    ) -> None:
        _, outcomes = receive(evaluator, tickets, self.patience)
        missing = sorted({t.job for t in tickets} - {outcome.job for outcome in outcomes})
        require(
            not missing,
            f"{who} gives no answer to {len(missing)} of {len(tickets)} old tickets: {missing}; "
            "go on from the tickets alone: keep state at the counterpart or in Ticket.reference",
        )


def _gists(outcomes: Sequence[Outcome]) -> Mapping[str, object]:
    return {outcome.job: gist(outcome) for outcome in outcomes}


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _error_of(evaluator: Evaluator) -> str:
    """What check says of a measure that is none."""
    try:
        evaluator.check(["no_such_measure"])
    except EvaluatorError as error:
        return f"{error} {error.__cause__!r}"
    return ""
