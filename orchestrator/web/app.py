"""The web service of ``assayloop serve``: deliveries by web hook, and whether it is well."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers

from adapters.protocol import Incoming
from orchestrator import moments
from orchestrator.web.receiver import Receiver

LARGEST = 64_000_000
"""Bytes of a delivery; what is larger belongs into a folder."""


def app(receiver: Receiver) -> FastAPI:
    """The service around a receiver, which it starts and closes."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        receiver.start()
        yield
        await run_in_threadpool(receiver.close)

    made = FastAPI(title="assayloop", lifespan=lifespan, docs_url=None, redoc_url=None)

    @made.post("/campaigns/{campaign}/evaluators/{name}/deliveries", status_code=202)
    async def deliver(campaign: str, name: str, request: Request) -> JSONResponse:
        """Take in a result. 202 stored, 401 not signed, 404 or 422 kept and refused."""
        body = await _body(request)
        if body is None:
            return JSONResponse({"error": f"it has more than {LARGEST:,} bytes"}, 413)
        incoming = Incoming(body, _lower(request.headers), _media_type(request.headers))
        answer = await run_in_threadpool(receiver.take, campaign, name, incoming)
        return JSONResponse(dict(answer.said), answer.status)

    @made.get("/healthz")
    def health() -> JSONResponse:
        """Whether it receives, and for how many jobs."""
        looked = receiver.looked_at
        said = {
            "receiving": receiver.alive,
            "looked_at": None if looked is None else moments.iso(looked),
            "open_jobs": receiver.waiting(),
        }
        return JSONResponse(said, 200 if receiver.alive else 503)

    return made


async def _body(request: Request) -> bytes | None:
    """The whole body; None where it is too large, of which the rest is not read."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST:
            return None
        parts.append(part)
    return b"".join(parts)


def _lower(headers: Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "application/octet-stream")
