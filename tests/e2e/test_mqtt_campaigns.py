"""Campaigns over MQTT whose broker, and whose instrument, die on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.protocol import Closable
from db.models import Attempt, Measurement
from db.session import Database
from db.states import JobState
from orchestrator import driver, wiring
from orchestrator.driver import Glance, Standing
from orchestrator.people import jobs
from tests.broker import Broker, Instrument, Wire, broker, instrument, options, wait
from tests.e2e.lab import Lab, opened

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
]

CAMPAIGN: dict[str, Any] = {
    "space": {
        "kind": "box",
        "parameters": [
            {"name": "temperature", "lower": 20, "upper": 90, "unit": "degC"},
            {"name": "ph", "lower": 4, "upper": 12},
        ],
    },
    "objective": {"direction": "maximize", "terms": [{"measure": "product"}]},
    "proposer": {"kind": "sobol", "initial": 10, "batch": 10},
    "budget": {"evaluations": 30},
    "failures": {"share": 1, "after": 100},
}


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


class Enough(Exception):
    """The driver has come as far as the test wants it, and dies."""


def start(lab: Lab, where: Broker, **changes: Any) -> str:
    """A campaign of 30 evaluations."""
    part = {"use": "mqtt", "measures": ["product"], "attempts": 50, "backoff": 0.2}
    return lab.start(
        **CAMPAIGN, evaluators=[part | {"options": options(where, **({"timeout": 0.5} | changes))}]
    )


def drive(
    lab: Lab, campaign: str, look: Callable[[Glance], None] = lambda seen: None
) -> Standing | None:
    """Drive as one process, until the campaign ends; None for one that died."""
    parts = lab.build(campaign)
    standing: Standing | None = None
    with wiring.driving(parts), suppress(Enough):
        while (standing := driver.drive(parts, observe=look)) is Standing.WAITING:
            standing = None
            time.sleep(0.01)
    for evaluator in parts.evaluators.values():
        assert isinstance(evaluator, Closable)
        evaluator.close()
    return standing


def parked(lab: Lab, campaign: str) -> list[int]:
    """Numbers of the jobs that are in doubt."""
    return [job.number for job in lab.jobs(campaign) if job.state == JobState.PARKED]


def succeeded(lab: Lab, campaign: str) -> int:
    """How many jobs are done."""
    return lab.states(campaign).count("succeeded")


def settle(lab: Lab, campaign: str, number: int, *, ran: bool = False) -> None:
    """Somebody looked whether it ran."""
    why = "the log of the instrument"
    jobs.resolve(lab.database, campaign, number, lab.actor, ran=ran, reason=why)


def require_all_measured_once(lab: Lab, campaign: str, by: Instrument) -> None:
    """Nothing lost, nothing measured twice."""
    keys = sorted(job.key for job in lab.jobs(campaign))
    assert len(keys) == 30
    assert set(lab.states(campaign)) == {"succeeded"}
    assert sorted(by.lines("ends")) == keys
    assert len(lab.rows(Measurement, campaign)) == 30


def test_nothing_is_lost_or_measured_twice_when_the_broker_dies_twice(
    lab: Lab, tmp_path: Path
) -> None:
    with broker(tmp_path / "mqtt") as mortal, instrument(mortal, "--seconds", "0.03") as device:
        campaign = start(lab, mortal)
        deaths: list[int] = []

        def die() -> None:
            for enough in (3, 14):
                wait(lambda enough=enough: len(device.lines("ends")) >= enough, 60)
                mortal.kill()
                deaths.append(len(device.lines("ends")))
                time.sleep(0.4)
                mortal.start()

        fate = threading.Thread(target=die)
        fate.start()
        assert drive(lab, campaign) is Standing.FINISHED
        fate.join()
        assert len(deaths) == 2
        assert deaths[1] < 30
        require_all_measured_once(lab, campaign, device)
        assert sorted(device.lines("begins")) == sorted(device.lines("ends"))


def test_nothing_is_lost_or_measured_twice_when_the_instrument_and_the_driver_die_twice(
    lab: Lab, tmp_path: Path
) -> None:
    with broker(tmp_path / "mqtt") as lasting, instrument(lasting, "--seconds", "0.03") as device:
        campaign = start(lab, lasting)
        for enough in (3, 14):
            dead = threading.Event()

            def die(enough: int = enough, dead: threading.Event = dead) -> None:
                wait(lambda: len(device.lines("begins")) > len(device.lines("ends")) >= enough, 60)
                device.kill()
                dead.set()

            def look(seen: Glance, dead: threading.Event = dead) -> None:
                if dead.is_set():
                    raise Enough

            fate = threading.Thread(target=die)
            fate.start()
            assert drive(lab, campaign, look) is None
            fate.join()
            assert drive(lab, campaign, lambda seen: _die_unless(lab, campaign)) is None
            device.start()
        assert drive(lab, campaign) is Standing.FINISHED
        require_all_measured_once(lab, campaign, device)
        # Only what was being measured when the power went was begun again.
        assert 30 < len(device.lines("begins")) <= 32


def _die_unless(lab: Lab, campaign: str) -> None:
    """A driver dies at the first look."""
    assert not parked(lab, campaign)
    raise Enough


def test_of_an_instrument_that_forgets_exactly_what_is_in_doubt_is_parked(
    lab: Lab, tmp_path: Path
) -> None:
    careless = ("--careless", "--seconds", "0.01")
    with broker(tmp_path / "mqtt") as mortal, instrument(mortal, *careless) as device:
        wire = Wire(mortal)
        campaign = start(lab, mortal, broker=wire.url, idempotent=False, timeout=1.0)
        hangs: list[tuple[int, Callable[[], None]]] = [
            (4, mortal.stop),
            (14, lambda: setattr(wire, "mute", True)),
        ]

        def look(seen: Glance) -> None:
            if hangs and succeeded(lab, campaign) >= hangs[0][0]:
                wait(lambda: len(device.lines("ends")) == sent(lab, campaign))
                time.sleep(0.2)  # so that the broker has kept its last state
                hangs.pop(0)[1]()
            if parked(lab, campaign):
                raise Enough

        # It hangs until somebody pulls the plug: what was not confirmed was never read.
        assert drive(lab, campaign, look) is None
        (doubtful,) = parked(lab, campaign)
        assert "did not confirm an order" in lab.jobs(campaign)[doubtful - 1].reason
        mortal.kill()
        mortal.start()
        settle(lab, campaign, doubtful)
        # The order gets there, and nothing comes back: its result waits at the broker.
        assert drive(lab, campaign, look) is None
        (doubtful,) = parked(lab, campaign)
        key = lab.jobs(campaign)[doubtful - 1].key
        wait(lambda: key in device.lines("ends"))
        wire.mute = False
        settle(lab, campaign, doubtful, ran=True)
        assert drive(lab, campaign, look) is Standing.FINISHED
        wire.close()
        assert hangs == []
        require_all_measured_once(lab, campaign, device)
        doubts = [one for one in lab.rows(Attempt, campaign) if "did not run" in one.reason]
        assert len(doubts) == 1


def sent(lab: Lab, campaign: str) -> int:
    """How many jobs the instrument has been given."""
    return sum(1 for job in lab.jobs(campaign) if job.state in ("submitted", "succeeded"))
