"""What the processes do that are killed: start or continue the campaign of a folder, to its end.

Each is forked by a server that has imported everything and opened nothing
(:data:`tests.faults.runs.CONTEXT`), so that a process costs a tenth of a second and not five.
"""

from __future__ import annotations

import json
import os
import random
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

# Imported for the server, so that its children need not.
import botorch.optim.fit  # noqa: F401
import numpy as np
import torch
import torch.fx.experimental.symbolic_shapes  # gpytorch does on its first use
from sqlalchemy.orm import Session

import orchestrator.latent.box
import orchestrator.proposers.gp
import orchestrator.surrogates.gp  # noqa: F401
from adapters.protocol import Evaluator
from db import lease
from db.session import Database
from orchestrator import driver, opening, wiring
from orchestrator.people import actors, campaigns
from orchestrator.settings import Settings
from orchestrator.verbs import batches
from tests.faults import campaign
from tests.faults.boundaries import Crossings, is_heartbeat


def settle_in(folder: Path, url: str) -> None:
    """Make this process one of its own: directory, settings, plug-in and random numbers.

    What a process draws from the global generators must not matter, and forks would share it.
    """
    os.chdir(folder)
    os.environ["ASSAYLOOP_HOME"] = str(folder)
    os.environ["ASSAYLOOP_DATABASE_URL"] = url
    sys.path.insert(0, str(campaign.PLUGIN))
    random.seed()
    np.random.seed()  # noqa: NPY002
    torch.seed()
    torch.set_num_threads(1)


def run_campaign(
    folder: Path,
    url: str,
    kill_at: int | None,
    *,
    idempotent: bool,
    without_intent: bool,
    heartbeat_s: float = lease.HEARTBEAT_S,
) -> None:
    """Drive the campaign as far as it goes, and leave ``result.json`` in the folder.

    Args:
        folder: Working directory, which holds the evaluators' log.
        url: Of the database; both it and the campaign are made where they are missing.
        kill_at: Number of the boundary to be killed at; None to live.
        idempotent: Whether the evaluators may be asked again.
        without_intent: Take the intent's COMMIT out of the product, to see the tests fail.
        heartbeat_s: How often the driver's lease is renewed beside it.
    """
    lease.HEARTBEAT_S = heartbeat_s
    with (folder / "errors.txt").open("w") as errors:
        try:
            settle_in(folder, url)
            crossings = Crossings(folder, kill_at)
            crossings.install()
            if without_intent:
                remove_intents_commit()
            opened = opening.database(Settings.read(), create=True)
            wanted = campaign.spec(idempotent=idempotent)
            actor = actors.current(opened)
            parts = wiring.build(opened, campaigns.open_or_create(opened, wanted, actor))
            with wiring.driving(parts):
                standing = driver.drive(parts)
            opened.close()
        except BaseException:
            traceback.print_exc(file=errors)
            raise
    result = {"standing": standing, "crossed": [asdict(one) for one in crossings.crossed]}
    (folder / "result.json").write_text(json.dumps(result))


def remove_intents_commit() -> None:
    """Make intent and outcome one transaction, as if the intent were never committed by itself."""
    intend, write, read = batches.intend, Database.write, Database.read
    intending = False
    held: list[tuple[Session, ExitStack]] = []

    def intend_only(parts: wiring.Parts, name: str, evaluator: Evaluator) -> batches.Intent | None:
        nonlocal intending
        intending = True
        try:
            return intend(parts, name, evaluator)
        finally:
            intending = False

    @contextmanager
    def write_both(self: Database, *chains: str) -> Iterator[Session]:
        if is_heartbeat():
            with write(self, *chains) as session:
                yield session
            return
        if held:
            session, transaction = held.pop()
        else:
            transaction = ExitStack()
            session = transaction.enter_context(write(self, *chains))
        if intending:
            held.append((session, transaction))
            yield session
        else:
            with transaction:
                yield session

    @contextmanager
    def read_uncommitted(self: Database) -> Iterator[Session]:
        if not held:
            with read(self) as session:
                yield session
        else:
            held[0][0].expire_all()  # as a session of its own would, it reads everything anew
            yield held[0][0]

    setattr(batches, "intend", intend_only)  # noqa: B010
    setattr(Database, "write", write_both)  # noqa: B010
    setattr(Database, "read", read_uncommitted)  # noqa: B010
