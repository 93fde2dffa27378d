"""Checks of what only some evaluators do: refuse, accept, progress, health, close."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.protocol import (
    Checkable,
    Closable,
    Delivery,
    EvaluatorError,
    Incoming,
    Listening,
    Progressing,
    Refusing,
)
from adapters.testing.bench import (
    Bench,
    exchange,
    fail,
    guarded,
    jobs_for,
    leave_out,
    require,
    submit,
)


class MannersChecks(Bench):
    """What the core looks for in an evaluator beside the six methods."""

    def test_what_was_refused_does_not_come_again(self) -> None:
        """A refused delivery is stored for good; handed over again it would be refused for ever."""
        evaluator = self.evaluator()
        if not isinstance(evaluator, Refusing):
            leave_out("refuse: it has no method refuse; acknowledge is called instead")
            return
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        for delivery in done.deliveries:
            for _ in range(2):
                what = "refuse, perhaps for the second time,"
                guarded(what, evaluator.refuse, delivery, "the kit ☃ refuses it")
        back = [delivery.reference for delivery in evaluator.receive(done.tickets)]
        require(not back, f"deliveries {back} were refused and came again; put them away")

    def test_callbacks_of_strangers_are_refused(self) -> None:
        """Anybody can send a request; what is not signed must not become a value."""
        evaluator = self.evaluator()
        if not isinstance(evaluator, Listening):
            leave_out("callbacks: it has no method accept; its counterpart is asked")
            return
        for body in (b"", b"{}", b"\xff\xfe\x00garbage", b"[" * 100_000):
            for headers in ({}, {"authorization": "none", "x-signature": "☃"}):
                try:
                    taken: object = evaluator.accept(Incoming(body, headers))
                except EvaluatorError:
                    continue
                except Exception as error:
                    fail(
                        f"accept of an unsigned request raised {type(error).__name__}: {error}; "
                        "raise UntrustedError"
                    )
                fail(f"accept took an unsigned request as {taken!r}; raise UntrustedError")

    def test_signed_callbacks_are_accepted(self) -> None:
        """And what is signed must come in."""
        evaluator = self.evaluator()
        if not isinstance(evaluator, Listening):
            leave_out("signed callbacks: it has no method accept")
            return
        sent = self.signed_callback()
        if sent is None:
            leave_out("signed callbacks: signed_callback() gives none")
            return
        taken: object = guarded("accept of a signed request", evaluator.accept, sent)
        require(
            isinstance(taken, Delivery) and taken.body == sent.body,
            f"accept gave {taken!r}; give a Delivery whose body is the request's, byte for byte",
        )

    def test_progress_tells_of_submitted_jobs_only(self) -> None:
        """People see it beside the job."""
        evaluator = self.evaluator()
        if not isinstance(evaluator, Progressing):
            leave_out("progress: it has no method progress")
            return
        tickets = submit(evaluator, jobs_for(evaluator, self.samples()))
        said: object = guarded("progress", evaluator.progress, tickets)
        require(isinstance(said, Mapping), f"progress gave {said!r}; give a mapping of job to text")
        assert isinstance(said, Mapping)
        strange = set(said) - {ticket.job for ticket in tickets}
        require(not strange, f"progress tells of {strange}, never asked for; use the job's key")
        silent = [key for key, text in said.items() if not isinstance(text, str)]
        require(not silent, f"progress of {silent} is no text; say it in words, for a person")
        none = guarded("progress of no ticket", evaluator.progress, [])
        require(not none, f"progress of no ticket tells of {dict(none)}; tell of what is asked")

    def test_health_answers_in_words(self) -> None:
        """The command that checks evaluators prints it."""
        evaluator = self.evaluator()
        if not isinstance(evaluator, Checkable):
            leave_out("health: it has no method health")
            return
        said: object = guarded("health of a counterpart that is there", evaluator.health)
        good = isinstance(said, str) and said.strip()
        require(good, f"health gave {said!r}; say who answered, for a person")

    def test_health_of_what_is_not_there_is_an_error_of_ours(self) -> None:
        """A traceback helps nobody at the bench."""
        evaluator = self.unreachable()
        if evaluator is None:
            leave_out("health of what is not there: unreachable() gives none")
            return
        require(
            isinstance(evaluator, Checkable), f"unreachable() gave {evaluator!r} without health"
        )
        assert isinstance(evaluator, Checkable)
        try:
            said = evaluator.health()
        except EvaluatorError as error:
            require(str(error), "health raised EvaluatorError without a word; say what would help")
            return
        except Exception as error:
            fail(f"health raised {type(error).__name__}: {error}; raise EvaluatorError, no other")
        fail(f"health of what is not there said {said!r}; raise EvaluatorError")

    def test_closing_twice_is_harmless(self) -> None:
        """A driver that ends and a receiver that ends may both close it."""
        evaluator = self.evaluator()
        if not isinstance(evaluator, Closable):
            leave_out(
                "close: it has no method close; it must hold no process, connection or thread"
            )
            return
        exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        for _ in range(2):
            guarded("close, perhaps for the second time,", evaluator.close)
        guarded("close of one that was never used", self.evaluator().close)  # type: ignore[attr-defined]
