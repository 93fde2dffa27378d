"""A small assay service: what assayloop's transport `http` expects of yours.

    python server.py --port 8700 --database assays.db

It measures the yield of a reaction, half a second each, and forgets nothing when it is killed: jobs
are kept in SQLite, by their key, so that one that is sent twice is measured once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sqlite3
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import uvicorn
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel, Field

from adapters.http_service.signing import sign

Authorization = Annotated[str, Header()]


class Sample(BaseModel):
    """What is to be measured."""

    kind: str
    name: str = ""
    content: str
    """Text; or bytes in base 64, where ``encoding`` says so."""
    encoding: str = ""


class Job(BaseModel):
    """One measurement."""

    job: str
    """Its key. A key that comes again is the same job, and is not measured again."""
    label: str = ""
    replicate: int = 1
    measures: list[str]
    sample: Sample


class Submission(BaseModel):
    """Jobs that are one act: a plate, a run."""

    batch: str
    barcode: str = ""
    jobs: list[Job] = Field(min_length=1)
    callback: str = ""
    """Where results are to be delivered."""


class Accepted(BaseModel):
    """Where to ask for results."""

    runs: dict[str, str]
    """By the job's key."""


class Reading(BaseModel):
    """One value."""

    value: float
    unit: str
    std: float | None = None


class Result(BaseModel):
    """How far a run is, and what came of it."""

    run: str
    job: str
    status: str
    """queued, running, succeeded, failed or rejected."""
    readings: dict[str, Reading] = {}
    reason: str = ""
    measured_at: str | None = None
    instrument: str = ""


class Health(BaseModel):
    """Who this is."""

    name: str
    version: str


class Store:
    """Jobs in SQLite."""

    def __init__(self, file: str) -> None:
        self.connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS job (key TEXT PRIMARY KEY, run TEXT UNIQUE, request TEXT,"
            " callback TEXT, state TEXT, result TEXT, delivered INTEGER, measured INTEGER)"
        )

    def add(self, job: Job, callback: str) -> str:
        """The run of a job; a new one only where its key is new."""
        row = (job.job, uuid.uuid4().hex, job.model_dump_json(), callback)
        sql = "INSERT OR IGNORE INTO job VALUES (?, ?, ?, ?, 'queued', NULL, 0, 0)"
        self.connection.execute(sql, row)
        return str(self._one("SELECT run FROM job WHERE key = ?", job.job)[0])

    def _one(self, sql: str, *values: object) -> Any:
        return self.connection.execute(sql, values).fetchone()

    def run(self, run: str) -> Any:
        """Key, state and result of a run."""
        return self._one("SELECT key, state, result FROM job WHERE run = ?", run)

    def next(self) -> Any:
        """Run and request of the next job; one that was begun before a crash comes first."""
        return self._one(
            "SELECT run, request FROM job WHERE state IN ('running', 'queued') "
            "ORDER BY state DESC, rowid LIMIT 1"
        )

    def set(self, run: str, state: str, result: str | None = None) -> None:
        """Keep how far a run is."""
        sql = "UPDATE job SET state = ?, result = ?, measured = measured + ? WHERE run = ?"
        self.connection.execute(sql, (state, result, int(result is not None), run))

    def undelivered(self) -> list[Any]:
        """Finished runs that somebody wants to be told of."""
        return self.connection.execute(
            "SELECT run, callback, result FROM job "
            "WHERE result IS NOT NULL AND callback != '' AND delivered = 0"
        ).fetchall()

    def delivered(self, run: str) -> None:
        """Somebody was told."""
        self.connection.execute("UPDATE job SET delivered = 1 WHERE run = ?", (run,))


def measure(content: str) -> float:
    """Yield in percent: best at 78 degrees and 45 minutes."""
    said = json.loads(content)
    heat = (float(said["temperature"]) - 78) / 20
    wait = (float(said["time"]) - 45) / 25
    return 92 * math.exp(-(heat**2) - wait**2)


def answer(run: str, job: Job) -> Result:
    """What the instrument gives for a job."""
    try:
        value = measure(job.sample.content)
    except (ValueError, KeyError, TypeError) as error:
        return Result(run=run, job=job.job, status="rejected", reason=f"no such sample: {error}")
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    readings = {"yield": Reading(value=value, unit="percent", std=0.5)}
    return Result(
        run=run,
        job=job.job,
        status="succeeded",
        readings=readings,
        measured_at=at,
        instrument="reactor 1",
    )


def build(database: str, *, takes: float = 0.5, token: str = "", secret: str = "") -> FastAPI:
    """The service.

    Args:
        database: File of its jobs.
        takes: Seconds of one measurement.
        token: The bearer token that it asks for; none if empty.
        secret: What signs deliveries.
    """
    store = Store(database)

    async def work() -> None:
        while True:
            found = store.next()
            if found is None:
                await asyncio.sleep(0.02)
                continue
            run, request = found
            store.set(run, "running")
            await asyncio.sleep(takes)
            result = answer(run, Job.model_validate_json(request))
            store.set(run, result.status, result.model_dump_json(exclude_none=True))

    async def deliver() -> None:
        async with httpx.AsyncClient() as client:
            while True:
                for run, callback, result in store.undelivered():
                    body = result.encode()
                    headers = sign(secret, body) | {"content-type": "application/json"}
                    try:
                        said = await client.post(callback, content=body, headers=headers)
                    except httpx.HTTPError:
                        break
                    if said.status_code < 500:
                        store.delivered(run)
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work()), asyncio.create_task(deliver())]
        yield
        for task in tasks:
            task.cancel()

    app = FastAPI(title="Assay service", version="1", lifespan=lifespan)

    def require(authorization: str) -> None:
        if token and authorization != f"Bearer {token}":
            raise HTTPException(401, "who are you?")

    @app.post("/runs", status_code=202)
    def submit(
        submission: Submission,
        authorization: Authorization = "",
        idempotency_key: Annotated[str, Header()] = "",
    ) -> Accepted:
        """Take jobs. The same keys again are the same jobs."""
        require(authorization)
        return Accepted(
            runs={one.job: store.add(one, submission.callback) for one in submission.jobs}
        )

    @app.get("/runs/{run}", response_model_exclude_none=True)
    def result(run: str, authorization: Authorization = "") -> Result:
        """How far a run is; its result once it is there. 404 where it is not known."""
        require(authorization)
        found = store.run(run)
        if found is None:
            raise HTTPException(404, f"there is no run {run}")
        key, state, said = found
        if said is None:
            return Result(run=run, job=key, status=state)
        return Result.model_validate_json(said)

    @app.post("/runs/{run}/cancel", status_code=202)
    def cancel(run: str, authorization: Authorization = "") -> Result:
        """Stop a run that has not begun. 409 where it has."""
        require(authorization)
        found = store.run(run)
        if found is None:
            raise HTTPException(404, f"there is no run {run}")
        if found[1] != "queued":
            raise HTTPException(409, f"it is {found[1]}")
        cancelled = Result(run=run, job=found[0], status="failed", reason="cancelled")
        store.set(run, "failed", cancelled.model_dump_json(exclude_none=True))
        return cancelled

    @app.get("/health")
    def health() -> Health:
        """Who this is."""
        return Health(name="reactor", version="1")

    return app


def main() -> None:
    """Serve until it is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8700)
    parser.add_argument("--database", default="assays.db")
    parser.add_argument("--takes", type=float, default=0.5, help="seconds of one measurement")
    parser.add_argument("--describe", action="store_true", help="print the OpenAPI description")
    given = parser.parse_args()
    if given.describe:
        sys.stdout.write(json.dumps(build(":memory:").openapi(), indent=1) + "\n")
        return
    app = build(
        str(Path(given.database)),
        takes=given.takes,
        token=os.environ.get("ASSAY_TOKEN", ""),
        secret=os.environ.get("ASSAY_SECRET", ""),
    )
    uvicorn.run(app, port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
