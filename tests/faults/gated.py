"""Drivers that are held up inside their evaluator, so that a test can stop or overtake them there.

``python -m tests.faults.gated HOST run SPEC`` is the command ``assayloop`` as such a driver.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from adapters.protocol import Batch, Ticket
from db import lease
from orchestrator import driver, opening, wiring
from orchestrator.errors import AssayloopError
from orchestrator.settings import Settings
from tests.faults.call_log import CallLogEvaluator
from tests.faults.campaign import NAME

HEARTBEAT_S, EXPIRY_S = 0.2, 3.0
"""As in the product, but for a test that is to last seconds."""

ASKED = "asked.jsonl"
"""Log of what gated drivers asked of their evaluators: ``{"pid", "keys"}`` a line."""

GO = "go"
"""The file that lets them go on; until then each call is held once its answers are logged."""


def asked(folder: Path) -> list[int]:
    """Who asked, by process, a call each."""
    log = folder / ASKED
    return (
        [json.loads(line)["pid"] for line in log.read_text().splitlines()] if log.exists() else []
    )


def hold_calls(host: str) -> None:
    """Make this process a gated driver, for good.

    Args:
        host: Name of the machine that it says it is on; empty for this one's.
    """
    lease.HEARTBEAT_S, lease.EXPIRY_S = HEARTBEAT_S, EXPIRY_S
    if host:
        setattr(socket, "gethostname", lambda: host)  # noqa: B010
    submit = CallLogEvaluator.submit

    def held(self: CallLogEvaluator, batch: Batch) -> Sequence[Ticket]:
        tickets = submit(self, batch)
        line = {"pid": os.getpid(), "keys": [job.key for job in batch.jobs]}
        with Path(ASKED).open("a") as log:
            log.write(json.dumps(line) + "\n")
        while not Path(GO).exists():
            time.sleep(0.01)
        return tickets

    setattr(CallLogEvaluator, "submit", held)  # noqa: B010


def drive(folder: Path, url: str, host: str) -> None:
    """Drive the campaign of a folder; an error's words go to ``ended-PID.txt``."""
    from tests.faults.process import settle_in

    settle_in(folder, url)
    hold_calls(host)
    opened = opening.database(Settings.read())
    try:
        with wiring.driving(wiring.build(opened, opening.campaign(opened, NAME).id)) as parts:
            driver.drive(parts)
    except AssayloopError as error:
        (folder / f"ended-{os.getpid()}.txt").write_text(str(error))
        sys.exit(error.exit_code)
    opened.close()


if __name__ == "__main__":
    from orchestrator import cli

    hold_calls(sys.argv[1])
    sys.exit(cli.main(sys.argv[2:]))
