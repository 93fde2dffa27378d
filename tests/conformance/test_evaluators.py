"""Our own evaluators pass the kit that we ship, and broken ones fail it with a word that helps."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import runpy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adapters.automaton import AutomatonEvaluator
from adapters.calculator import Calculator, Value
from adapters.chaos import Chaos
from adapters.command import Command
from adapters.declared import MeasureOption
from adapters.file_drop import FileDrop
from adapters.function import FunctionEvaluator, evaluator
from adapters.http_service import HttpEvaluator
from adapters.manual import Manual
from adapters.mnist_classifier import MnistClassifier
from adapters.mqtt import MqttEvaluator
from adapters.protocol import (
    Batch,
    Capabilities,
    Delivery,
    Evaluator,
    EvaluatorError,
    Measure,
    Outcome,
    Reading,
    Sample,
    Ticket,
    Weights,
)
from adapters.python_source import PythonSource
from adapters.rdkit_properties import RDKitEvaluator
from adapters.registry import GROUP
from adapters.sila2_server import Sila2Evaluator
from adapters.testing import EvaluatorConformance, LeftOut
from adapters.tox21 import Tox21

HERE = Path(__file__)
CALL_LOG = runpy.run_path(str(HERE.parents[1] / "faults" / "call_log.py"))
"""The names of the test evaluator's module; tests are no package that could be imported."""


def point(**values: float) -> Sample:
    """A sample of named parameters."""
    return Sample("parameters", json.dumps(values))


def digit(seed: int) -> Sample:
    """A grey 28 x 28 PNG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return Sample("image", file.getvalue())


@evaluator(  # type: ignore[arg-type]
    measures=[Measure("yield", "percent", lower=0, upper=100), "entropy"],
    idempotent=True,
    batch_size=3,
)
def reactor(parameters: Mapping[str, float]) -> dict[str, object]:
    """A reaction with an optimum, and a measure that has no value at temperature zero."""
    t = parameters["temperature"]
    best = {"value": max(0.0, 0.8 - (t - 60) ** 2 / 1000), "std": 0.01, "unit": ""}
    return {"yield": best, "entropy": math.log(t) if t else math.nan}


class TestRDKit(EvaluatorConformance):
    def evaluator(self) -> Evaluator:
        return RDKitEvaluator(reference="CC(=O)Oc1ccccc1C(=O)O")

    def samples(self) -> Sequence[Sample]:
        return [
            Sample("molecule", smiles) for smiles in ("CCO", "c1ccccc1O", "C1CC", "CN1CCC[C@H]1")
        ]


class TestMnistClassifier(EvaluatorConformance):
    def evaluator(self) -> Evaluator:
        return MnistClassifier()

    def samples(self) -> Sequence[Sample]:
        return [digit(1), digit(2), Sample("image", b"not a PNG")]


class TestAutomata(EvaluatorConformance):
    def evaluator(self) -> Evaluator:
        return AutomatonEvaluator()

    def samples(self) -> Sequence[Sample]:
        # The third is reset by no word.
        texts = ("1230-0120", "12340-01230", "1230-3012", "1234")
        return [Sample("automaton", text) for text in texts]


class TestDecoratedFunction(EvaluatorConformance):
    def evaluator(self) -> Evaluator:
        return FunctionEvaluator(reactor, reactor.capabilities)

    def target(self) -> object:
        return reactor

    def samples(self) -> Sequence[Sample]:
        return [point(temperature=t) for t in (20.0, 55.0, 61.5, 80.0)]

    def non_finite_samples(self) -> Sequence[Sample]:
        return [point(temperature=0.0)]


class TestCallLog(EvaluatorConformance):
    idempotent = True

    @pytest.fixture(autouse=True)
    def _log(self, tmp_path: Path) -> None:
        self.path = tmp_path / "calls.jsonl"

    def evaluator(self) -> Evaluator:
        made: Evaluator = CALL_LOG["CallLogEvaluator"](self.path, idempotent=self.idempotent)
        return made

    def samples(self) -> Sequence[Sample]:
        return [point(x0=0.1, x1=0.2), point(x0=-0.4, x1=1.0), point(x0=0.25, x1=0.25)]


class TestCallLogNotIdempotent(TestCallLog):
    idempotent = False


class TestTox21(EvaluatorConformance):
    """With the shipped weights."""

    def evaluator(self) -> Evaluator:
        return Tox21()

    def samples(self) -> list[Sample]:
        return [Sample("molecule", smiles) for smiles in ("CCO", "c1ccc2ccccc2c1", "CC(=O)N")]


class PersonWhoAnswers(Manual):
    """Enters a result for whatever is put on the list, and stays until it is stored."""

    def __init__(self) -> None:
        potency: MeasureOption = {"unit": "nmol/l", "lower": 0.0}
        measures: dict[str, str | MeasureOption] = {"potency": potency, "colour": ""}
        super().__init__(measures=measures, kinds=["parameters"])
        self._stored: set[str] = set()

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """What was entered and is not stored yet."""
        mine = [
            ticket for ticket in tickets if ticket.job.count("/") == 3 and "/manual/" in ticket.job
        ]
        readings = (Reading("potency", 3.0, "nmol/l", 0.5), Reading("colour", 1.0))
        made = [self.entered(ticket.job, readings, "") for ticket in mine]
        return [one for one in made if one.reference not in self._stored]

    def acknowledge(self, delivery: Delivery) -> None:
        """Go home."""
        self._stored.add(delivery.reference)


class TestManual(EvaluatorConformance):
    """With somebody at the bench."""

    def evaluator(self) -> Evaluator:
        return PersonWhoAnswers()

    def samples(self) -> list[Sample]:
        return [point(x=0.1), point(x=0.2)]


def test_every_built_in_is_in_the_conformance_suite() -> None:
    """A built-in that nobody holds to the contract would be the first to break it."""
    ours = {p.load() for p in entry_points(group=GROUP) if p.value.startswith("adapters.")}
    held: set[type] = {AutomatonEvaluator, RDKitEvaluator, MnistClassifier, Manual, Tox21}
    # By the files beside this one.
    held |= {Chaos, Command, FileDrop, HttpEvaluator, MqttEvaluator, PythonSource, Sila2Evaluator}
    assert ours == held, "give the new evaluator its class here; if ours is empty, run `make`"


# Deliberately broken adapters: each does one thing wrong.


class Good(Calculator):
    """Sound; what the broken ones are made from. ``score`` is in percent, 0 to 100."""

    def __init__(self) -> None:
        super().__init__(
            Capabilities(
                name="good",
                version="1",
                sample_kinds=frozenset({"parameters"}),
                measures=(Measure("score", "percent", 0, 100), Measure("level")),
                batch_size=10,
                synchronous=True,
                idempotent=True,
            )
        )

    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, Value]:
        return {"score": json.loads(sample.content)["x"], "level": 1.0}


class LosesATicket(Good):
    def submit(self, batch: Batch) -> Sequence[Ticket]:
        return super().submit(batch)[1:]


class NeverAnswersTheLast(Good):
    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        return super().receive(tickets[:-1])


class AnswersTwice(Good):
    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        found = super().receive(tickets)
        return [*found, *(replace(d, reference=f"{d.reference} again") for d in found)]


class ForgetsWhatItAnswers(Good):
    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        return [replace(delivery, jobs=()) for delivery in super().receive(tickets)]


class ParsesFromMemory(Good):
    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        if delivery.reference not in self._waiting:
            raise EvaluatorError("unknown delivery")
        return super().parse(delivery)


class CountsWhileParsing(Good):
    counter = itertools.count()

    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        outcome = super().parse(delivery)[0]
        stamped = [replace(r, measured_at=next(self.counter)) for r in outcome.readings]
        return [replace(outcome, readings=tuple(stamped))]


class StampsEachDelivery(Good):
    counter = itertools.count()

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        return [
            replace(d, body=d.body.replace(b"{", b'{"asked":%d,' % next(self.counter), 1))
            for d in super().receive(tickets)
        ]


class AnswersByPosition(Good):
    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        first = super().receive(tickets)[0].body
        own = json.loads(first)["readings"]
        return [
            replace(d, body=json.dumps(json.loads(d.body) | {"readings": own}).encode())
            for d in super().receive(tickets)
        ]


class ReadsTheWrongUnit(Good):
    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        outcome = super().parse(delivery)[0]
        return [replace(outcome, readings=tuple(replace(r, unit="gram") for r in outcome.readings))]


class ReadsImpossibleValues(Good):
    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        outcome = super().parse(delivery)[0]
        scaled = (replace(r, value=100 * r.value) for r in outcome.readings)
        return [replace(outcome, readings=tuple(scaled))]


class ForgetsAMeasure(Good):
    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        outcome = super().parse(delivery)[0]
        return [replace(outcome, readings=outcome.readings[:1])]


class PointsNowhere(Good):
    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        outcome = super().parse(delivery)[0]
        lost = (replace(r, place="/results/0") for r in outcome.readings)
        return [replace(outcome, readings=tuple(lost))]


class CallsNoiseIdempotent(Good):
    noise = itertools.count()

    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, Value]:
        return {"score": next(self.noise) % 100, "level": 1.0}


class DeliversForEver(Good):
    def acknowledge(self, delivery: Delivery) -> None:
        return None


class AcknowledgesOnce(Good):
    def acknowledge(self, delivery: Delivery) -> None:
        del self._waiting[delivery.reference]


class RaisesOnOddSamples(Good):
    def submit(self, batch: Batch) -> Sequence[Ticket]:
        for job in batch.jobs:
            json.loads(job.sample.content)
        return super().submit(batch)


class RaisesOnUnknownTickets(Good):
    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        return [self._waiting[ticket.job] for ticket in tickets]


class BreaksAfterAnOddSample(Good):
    odd = False

    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, Value]:
        self.odd = self.odd or not sample.content.startswith("{")  # type: ignore[arg-type]
        return {} if self.odd else super().calculate(sample, wanted)


class ReadsGarbage(Good):
    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        try:
            return super().parse(delivery)
        except EvaluatorError as error:
            raise RuntimeError("line noise") from error


class SwallowsOptions(Good):
    def __init__(self, **options: object) -> None:
        super().__init__()


class StumblesOverNan(Good):
    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        outcome = super().parse(delivery)[0]
        finite = tuple(reading for reading in outcome.readings if math.isfinite(reading.value))
        return [replace(outcome, readings=finite[:0])]


class KeepsItsReasons(Good):
    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        return [replace(outcome, reason="") for outcome in super().parse(delivery)]


class AcceptsAnyMeasure(Good):
    def check(self, measures: Sequence[str]) -> None:
        return None


class DeclaresNonsense(Good):
    def __init__(self) -> None:
        super().__init__()
        self._capabilities = replace(self._capabilities, measures=(Measure("score", "bananas"),))


class WithWeights(Good):
    """Sound: weights that stand beside it."""

    def weights(self) -> Weights:
        return Weights(HERE, hashlib.sha256(HERE.read_bytes()).hexdigest())


class NamesAnotherHash(WithWeights):
    def weights(self) -> Weights:
        return replace(super().weights(), sha256="0" * 64)


class LostItsWeights(WithWeights):
    def weights(self) -> Weights:
        return replace(super().weights(), file=HERE.with_name("lost.safetensors"))


class KeepsAnArrayCalledWeights(Good):
    weights = (0.25, 0.75)


class GivesTheHashAlone(WithWeights):
    def weights(self) -> Weights:
        return super().weights().sha256  # type: ignore[return-value]


class LearnsWhileMeasuring(WithWeights):
    learnt = ""

    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, Value]:
        self.learnt += "0"
        return super().calculate(sample, wanted)

    def weights(self) -> Weights:
        return replace(super().weights(), sha256=self.learnt)


class TrainsAtStart(LearnsWhileMeasuring):
    starts = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.learnt = str(next(self.starts))

    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, Value]:
        return Good.calculate(self, sample, wanted)


BROKEN: list[tuple[Callable[[], Evaluator], str, str]] = [
    (LosesATicket, "every_job_gets_one_ticket", "exactly one ticket a job"),
    (NeverAnswersTheLast, "every_job_is_answered_once", "1 of 3 submitted jobs were not answered"),
    (AnswersTwice, "every_job_is_answered_once", "has 2 outcomes; give exactly one a job"),
    (ForgetsWhatItAnswers, "every_job_is_answered_once", "Delivery.jobs must be right"),
    (KeepsItsReasons, "every_job_is_answered_once", "failed without a reason"),
    (ParsesFromMemory, "parse_is_pure", "unknown delivery; it must not raise"),
    (CountsWhileParsing, "parse_is_pure", "different outcomes for the same bytes"),
    (StampsEachDelivery, "a_waiting_delivery_keeps_its_bytes", "not there again byte for byte"),
    (AnswersByPosition, "answers_stand_alone", "must not depend on other tickets"),
    (ReadsTheWrongUnit, "wanted_measures_come_in_their_units_and_bounds", "wrong unit: 'gram'"),
    (ReadsImpossibleValues, "wanted_measures_come_in_their_units_and_bounds", "100.* impossible"),
    (ForgetsAMeasure, "wanted_measures_come_in_their_units_and_bounds", "'score' is missing"),
    (ForgetsAMeasure, "one_measure_can_be_wanted_alone", "'score' wanted alone is missing"),
    (PointsNowhere, "readings_say_where_they_stand", "no JSON pointer into the delivery"),
    (CallsNoiseIdempotent, "a_key_submitted_twice_is_answered_alike", "declare idempotent=False"),
    (DeliversForEver, "acknowledging_twice_is_harmless", "acknowledged and came again"),
    (AcknowledgesOnce, "acknowledging_twice_is_harmless", "second time, raised KeyError"),
    (RaisesOnOddSamples, "unicode_in_a_sample_is_survived", "JSONDecodeError.*outcome"),
    (RaisesOnUnknownTickets, "an_unknown_ticket_gives_nothing", "raised KeyError"),
    (BreaksAfterAnOddSample, "an_empty_sample_is_survived", "good samples ended .'failed'"),
    (ReadsGarbage, "an_unreadable_delivery_is_refused", "raise EvaluatorError"),
    (SwallowsOptions, "an_unknown_option_is_refused", "'no_such_option' was accepted"),
    (StumblesOverNan, "nan_and_infinity_are_readings", "hand such values through"),
    (AcceptsAnyMeasure, "check_accepts_what_is_declared_and_nothing_else", "'no_such_measure'"),
    (DeclaresNonsense, "capabilities_are_sane", "'bananas' is no unit"),
    (NamesAnotherHash, "weights_have_the_hash_that_they_are_named_with", "'00.*; that of .* is "),
    (LostItsWeights, "weights_have_the_hash_that_they_are_named_with", "lost.* cannot be read"),
    (KeepsAnArrayCalledWeights, "weights_stay_the_same", "TypeError.*; it must not raise"),
    (GivesTheHashAlone, "weights_stay_the_same", r"give Weights\(file, sha256\)"),
    (LearnsWhileMeasuring, "weights_stay_the_same", "after measuring.*from the options alone"),
    (TrainsAtStart, "weights_stay_the_same", "when restarted.*from the options alone"),
]


@pytest.mark.parametrize(
    ("broken", "check", "message"), BROKEN, ids=[f"{b.__name__}-{c}" for b, c, _ in BROKEN]
)
def test_the_kit_finds_it(broken: Callable[[], Evaluator], check: str, message: str) -> None:
    """An author whose adapter is broken reads what is wrong and what would be right."""
    kit = conformance_of(broken)
    with pytest.raises(pytest.fail.Exception, match=message):
        getattr(kit, f"test_{check}")()


def test_the_kit_passes_what_the_broken_ones_are_made_from() -> None:
    """Otherwise the failures above would prove nothing."""
    kit = conformance_of(WithWeights)
    names = {name for name in dir(kit) if name.startswith("test_")}
    for name in names - {"test_cancelling_is_harmless"}:
        getattr(kit, name)()
    with pytest.warns(LeftOut, match=r"cancel: .* is False"):
        kit.test_cancelling_is_harmless()
    with pytest.warns(LeftOut, match="weights: it has no method weights"):
        conformance_of(Good).test_weights_have_the_hash_that_they_are_named_with()


def conformance_of(made: Callable[[], Evaluator]) -> EvaluatorConformance:
    """The kit for an adapter that measures ``x`` in percent."""

    class Kit(EvaluatorConformance):
        def evaluator(self) -> Evaluator:
            return made()

        def samples(self) -> Sequence[Sample]:
            return [point(x=3), point(x=14.0), Sample("parameters", '{"y": 1}')]

        def non_finite_samples(self) -> Sequence[Sample]:
            return [Sample("parameters", '{"x": NaN}'), Sample("parameters", '{"x": -Infinity}')]

    return Kit()
