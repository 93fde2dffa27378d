"""Checks of what the core relies on in every exchange, whatever the samples."""

from __future__ import annotations

from collections import Counter

from adapters.protocol import Batch, OutcomeStatus
from adapters.testing.bench import (
    Bench,
    exchange,
    gist,
    guarded,
    jobs_for,
    leave_out,
    parse,
    receive,
    require,
    submit,
)


class ContractChecks(Bench):
    """The exchange itself: tickets, deliveries, outcomes, acknowledgement."""

    def test_every_job_gets_one_ticket(self) -> None:
        """A job without a ticket is never asked for again: its sample is lost."""
        evaluator = self.evaluator()
        jobs = jobs_for(evaluator, self.samples())
        given = Counter(ticket.job for ticket in submit(evaluator, jobs))
        wanted = Counter(job.key for job in jobs)
        require(
            given == wanted,
            f"submit gave tickets for {dict(given)}, submitted were {dict(wanted)}; "
            "give exactly one ticket a job, with the job's key in Ticket.job",
        )

    def test_every_job_is_answered_once(self) -> None:
        """An answer that is missing stalls a campaign; one that is given twice counts twice."""
        evaluator = self.evaluator()
        jobs = jobs_for(evaluator, self.samples())
        done = exchange(evaluator, jobs, self.patience)
        for job, count in Counter(outcome.job for outcome in done.outcomes).items():
            require(
                job in {j.key for j in jobs}, f"there is an outcome for {job!r}, never submitted"
            )
            require(count == 1, f"job {job!r} has {count} outcomes; give exactly one a job")
        for delivery in done.deliveries:
            answered = {o.job for o in parse(evaluator, delivery, done.tickets)}
            silent = not delivery.jobs and not evaluator.capabilities.synchronous
            require(
                silent or answered == set(delivery.jobs),
                f"delivery {delivery.reference!r} names the jobs {delivery.jobs} and answers "
                f"{sorted(answered)}; Delivery.jobs must be right, or empty where a transport "
                "that is not synchronous cannot know",
            )
        for outcome in done.outcomes:
            require(
                outcome.reason or outcome.status is OutcomeStatus.SUCCEEDED,
                f"job {outcome.job!r} {outcome.status} without a reason; say why, for a person",
            )

    def test_answers_stand_alone(self) -> None:
        """Results arrive one by one and in any order; none may depend on another."""
        evaluator = self.evaluator()
        jobs = jobs_for(evaluator, self.samples())
        done = exchange(evaluator, jobs, self.patience)
        for ticket in reversed(done.tickets):
            _, outcomes = receive(evaluator, [ticket], self.patience)
            alone = {outcome.job: gist(outcome) for outcome in outcomes}
            together = gist(done.by_job[ticket.job])
            require(
                alone.get(ticket.job) == together,
                f"job {ticket.job!r} asked for alone gives {alone.get(ticket.job)}, "
                f"with others {together}; a ticket's answer must not depend on other tickets",
            )

    def test_parse_is_pure(self) -> None:
        """History is replayed from stored bytes, in other processes, years later."""
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        readers = [evaluator, evaluator, self.evaluator()]
        for delivery in reversed(done.deliveries):
            what = "parse, perhaps by a restarted evaluator,"
            texts = {repr(list(guarded(what, parse, r, delivery, done.tickets))) for r in readers}
            require(
                len(texts) == 1,
                f"parse gives different outcomes for the same bytes: {sorted(texts)}; "
                "it may use nothing but the delivery and its tickets",
            )

    def test_a_waiting_delivery_keeps_its_bytes(self) -> None:
        """After a crash the bytes are asked for again, and must be the record that they were."""
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        again = {d.reference: d for d in evaluator.receive(done.tickets)}
        for delivery in done.deliveries:
            require(
                again.get(delivery.reference) == delivery,
                f"delivery {delivery.reference!r} was not acknowledged, but is not there again "
                f"byte for byte: first {delivery!r}, then {again.get(delivery.reference)!r}",
            )

    def test_acknowledging_twice_is_harmless(self) -> None:
        """A crash between a commit and the acknowledgement makes the core acknowledge again."""
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        for keeper in (evaluator, evaluator, self.evaluator()):
            for delivery in done.deliveries:
                guarded("acknowledge, perhaps for the second time,", keeper.acknowledge, delivery)
        back = [delivery.reference for delivery in evaluator.receive(done.tickets)]
        require(not back, f"deliveries {back} were acknowledged and came again; forget them")

    def test_a_key_submitted_twice_is_answered_alike(self) -> None:
        """After a crash the core asks an idempotent evaluator again with the same key."""
        evaluator = self.evaluator()
        if not evaluator.capabilities.idempotent:
            leave_out("duplicate submit: capabilities.idempotent is False")
            return
        jobs = jobs_for(evaluator, self.samples())
        first = exchange(evaluator, jobs, self.patience).by_job
        for asked, which in ((evaluator, "the same"), (self.evaluator(), "a restarted")):
            second = exchange(asked, jobs, self.patience).by_job
            for key, outcome in first.items():
                require(
                    gist(second[key]) == gist(outcome),
                    f"job {key!r} submitted again to {which} evaluator gives {gist(second[key])} "
                    f"after {gist(outcome)}; answer alike, or declare idempotent=False",
                )

    def test_cancelling_is_harmless(self) -> None:
        """A cancellation may cross the result on its way."""
        evaluator = self.evaluator()
        if not evaluator.capabilities.cancellable:
            leave_out("cancel: capabilities.cancellable is False")
            return
        tickets = submit(evaluator, jobs_for(evaluator, self.samples()))
        for _ in range(2):
            guarded("cancel, perhaps for the second time,", evaluator.cancel, tickets)
        guarded("receive after cancel", evaluator.receive, tickets)

    def test_an_empty_batch_gives_no_ticket(self) -> None:
        """Nothing to measure is not an error worth stopping for."""
        tickets = self.evaluator().submit(Batch(key="empty", jobs=()))
        require(not tickets, f"an empty batch gave the tickets {list(tickets)}")
