"""The evaluator ``sila2``: one command of a SiLA 2 server, executed once a job."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from adapters import declared
from adapters.checks import require_measures
from adapters.messages import quote
from adapters.protocol import (
    Batch,
    Capabilities,
    Delivery,
    EvaluatorError,
    Job,
    OptionError,
    Outcome,
    Ticket,
)
from adapters.sila2_server import delivery, options, template
from adapters.sila2_server.delivery import Reader

if TYPE_CHECKING:
    from adapters.sila2_server.client import Client

PLENTY = 1000
"""Executions whose acknowledgement is remembered; an older one is not asked for again."""


class Sila2Evaluator:
    """One command of a SiLA 2 server, executed once a job.

    Args:
        address: ``host:port``.
        feature: Its identifier, short (``Photometer``) or in full.
        command: Its identifier.
        measures: By name, unit and bounds of what the command measures.
        kinds: Kinds of sample that it takes.
        parameters: By parameter, a literal or template of the sample; or both ``value`` and
            ``unit``, to be converted to the server's.
        responses: By measure, the response that it is; its own name where nothing is said.
        measured_at: The response that says when it was measured.
        observable: Whether the command is started first and its result asked for later.
        tls: A file of root certificates in PEM; ``system`` for those of this computer; or
            ``insecure`` for a server without TLS.
        timeout: Seconds that the server may take to start a command; to execute it, where it is
            not observable.
        in_flight: The most executions at one time; of a command that is not observable 1.
        metadata: By identifier (``Feature/Metadata``), what goes with each command; a template,
            or a credential by reference.
        lock: Reference of the credential with which the server is locked for us alone.
        lock_timeout: Seconds without a command of ours after which the lock ends by itself.
        transient: Identifiers of defined errors after which another attempt may help.
        cost: Of one job.

    Raises:
        OptionError: an option is wrong. Nothing is connected to, and no file read.
    """

    def __init__(
        self,
        address: str,
        feature: str,
        command: str,
        *,
        measures: declared.Measures,
        kinds: Sequence[str],
        parameters: Mapping[str, Any] | None = None,
        responses: Mapping[str, options.ResponseOption] | None = None,
        measured_at: str = "",
        observable: bool = True,
        tls: str = options.SYSTEM,
        timeout: float = 60.0,
        in_flight: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        lock: str = "",
        lock_timeout: int = 600,
        transient: Sequence[str] = (),
        cost: float = 0.0,
    ) -> None:
        host, port = options.address(address)
        given = declared.measures(measures)
        if not kinds:
            raise OptionError("kinds", "is empty; name the kinds of sample that it takes")
        if in_flight is not None and in_flight < 1:
            raise OptionError("in_flight", f"is {in_flight}; give at least 1, or leave it out")
        self._options = options.Options(
            host=host,
            port=port,
            feature=feature,
            command=command,
            observable=observable,
            measures=given,
            parameters=options.parameters(parameters or {}),
            sources=options.sources(responses or {}, given),
            measured_at=measured_at,
            tls=tls,
            timeout=options.positive("timeout", timeout),
            metadata=options.metadata(metadata or {}),
            lock=lock,
            lock_timeout=int(options.positive("lock_timeout", lock_timeout)),
            transient=frozenset(transient),
        )
        at_once = 1 if observable else in_flight or 1
        self._capabilities = Capabilities(
            name="sila2",
            version="1",
            sample_kinds=frozenset(kinds),
            measures=given,
            batch_size=at_once,
            synchronous=not observable,
            in_flight=in_flight,
            cost=cost,
        )
        self._reader = Reader(given, self._options.sources, measured_at, self._options.transient)
        self._waiting: dict[str, Delivery] = {}
        self._taken: dict[str, None] = {}
        """References of acknowledged deliveries, oldest first."""
        self._client: Client | None = None
        self._making = threading.Lock()

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, as the spec declares it."""
        return self._capabilities

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that the measures are declared and, if the server is there, that all fits.

        Raises:
            OptionError: the server has no such feature, command, parameter or response, or gives
                it in a unit that does not convert.
            EvaluatorError: a measure is not declared, or what connects to servers is not installed.
        """
        require_measures(self._capabilities, measures)
        try:
            self._server().link(wait=False)
        except OptionError:
            raise
        except EvaluatorError as error:
            if not error.transient:
                raise
            # It may be switched on when it is needed.

    def health(self) -> str:
        """Name, version and features of the server, once the command was found to fit.

        Raises:
            OptionError: it does not fit.
            EvaluatorError: the server cannot be reached.
        """
        return self._server().health()

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        """Start the command, or execute it where it is not observable.

        Raises:
            OptionError: the command does not fit.
            EvaluatorError: the server cannot be reached, or does not accept it now.
            ConnectionError: the connection was lost while the server was being asked.
        """
        size = self._capabilities.batch_size
        if len(batch.jobs) > size:
            raise EvaluatorError(
                f"evaluator 'sila2' takes {size} jobs at once, batch {batch.key!r} has "
                f"{len(batch.jobs)}"
            )
        if not batch.jobs:
            return []
        client = self._server()
        client.prepare()
        if self._options.observable:
            return [self._start(client, job) for job in batch.jobs]
        with ThreadPoolExecutor(len(batch.jobs), thread_name_prefix="sila2") as pool:
            return list(pool.map(lambda job: self._execute(client, job), batch.jobs))

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """Results of the executions that have ended.

        Raises:
            EvaluatorError: the server cannot be reached, and nothing waits here.
        """
        asked: list[tuple[Ticket, dict[str, Any]]] = []
        for ticket in tickets:
            written = _written(ticket)
            if written is None or _reference(ticket, written) in self._taken:
                continue
            if _reference(ticket, written) not in self._waiting:
                asked.append((ticket, written))
        running = [(t, w) for t, w in asked if "error" not in w and self._options.observable]
        for ticket, written in asked:
            if "error" in written:
                self._keep(ticket, written, written)
        lost = self._ask(running) if running else None
        references = [_reference(t, w) for t in tickets if (w := _written(t)) is not None]
        found = [self._waiting[one] for one in dict.fromkeys(references) if one in self._waiting]
        if lost and not found:
            raise EvaluatorError(f"the SiLA 2 server {lost}", transient=True)
        return found

    def progress(self, tickets: Sequence[Ticket]) -> Mapping[str, str]:
        """How far executions are, as the server says: ``running, 40 %, about 90 s left``."""
        if not self._options.observable:
            return {}
        written = {ticket.job: _written(ticket) for ticket in tickets}
        wanted = {
            job: one["execution"] for job, one in written.items() if one and "execution" in one
        }
        try:
            return self._server().progress(wanted) if wanted else {}
        except EvaluatorError:
            return {}

    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        """The one outcome of a delivery.

        Raises:
            EvaluatorError: the bytes are none of a SiLA 2 server.
        """
        return [self._reader.outcome(delivery.body)]

    def acknowledge(self, delivery: Delivery) -> None:
        """Forget the result; the server keeps it for as long as it likes."""
        self._waiting.pop(delivery.reference, None)
        self._taken[delivery.reference] = None
        while len(self._taken) > PLENTY:
            del self._taken[next(iter(self._taken))]

    def cancel(self, tickets: Sequence[Ticket]) -> None:
        """Do nothing: the standard has no way to stop a command that every server knows."""

    def close(self) -> None:
        """Let go of the connection, and of the lock where nothing of ours is under way."""
        with self._making:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    # One execution ------------------------------------------------------------------------------

    def _start(self, client: Client, job: Job) -> Ticket:
        """Start an observable command; what the server will never do is kept in the ticket."""
        ticket: dict[str, Any] = {"submitted": _now()} | client.found
        return Ticket(job.key, _text(ticket | self._tried(job, lambda: client.start(job))))

    def _execute(self, client: Client, job: Job) -> Ticket:
        """Execute a command that is not observable; its delivery waits here."""
        at = {"submitted": _now()} | client.found
        found = self._tried(job, lambda: client.execute(job))
        ticket = Ticket(job.key, _text(at))
        self._keep(ticket, at, at | found | {"ended": _now()})
        return ticket

    def _tried(self, job: Job, act: Any) -> dict[str, Any]:
        kinds = self._capabilities.sample_kinds
        if job.sample.kind not in kinds:
            wrong = f"measures {', '.join(sorted(kinds))}, not {quote(job.sample.kind)}"
            return {"error": delivery.error("sample", f"evaluator 'sila2' {wrong}")}
        try:
            found: dict[str, Any] = act()
        except template.SampleError as error:
            return {"error": delivery.error("sample", str(error))}
        return found

    def _ask(self, running: Sequence[tuple[Ticket, dict[str, Any]]]) -> str:
        """Ask for the results of executions; what stood in the way, if anything did."""
        lost = ""
        try:
            results = self._server().results([one.get("execution", "") for _, one in running])
        except OptionError:
            raise
        except EvaluatorError as error:
            return str(error)
        for (ticket, written), result in zip(running, results, strict=True):
            if isinstance(result, str):
                lost = lost or result
            elif result is not None:
                self._keep(ticket, written, written | result)
        return lost

    def _keep(self, ticket: Ticket, written: dict[str, Any], said: dict[str, Any]) -> None:
        """Let a delivery wait until it is acknowledged."""
        reference = _reference(ticket, written)
        body = delivery.write(said | {"job": ticket.job})
        self._waiting[reference] = Delivery(reference, body, jobs=(ticket.job,))

    def _server(self) -> Client:
        """The client of the server; made when it is first needed.

        Raises:
            EvaluatorError: what it needs is not installed.
        """
        with self._making:
            if self._client is None:
                try:
                    from adapters.sila2_server.client import Client
                except ImportError as error:
                    raise EvaluatorError(
                        f"evaluator 'sila2' needs {error.name}; install it with "
                        "pip install 'assayloop[sila2]'"
                    ) from error
                self._client = Client(self._options)
            return self._client


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z")


def _text(written: dict[str, Any]) -> str:
    """A ticket's reference; people look for the execution in it, so that stands first."""
    known = {"execution": written["execution"]} if "execution" in written else {}
    return json.dumps(known | written, separators=(",", ":"))


def _written(ticket: Ticket) -> dict[str, Any] | None:
    """What stands in a ticket of ours; None in one of somebody else's.

    A ticket without a reference is that of a job which, as a person says, ran, and of which no
    execution is known: nobody can be asked for its result.
    """
    if not ticket.reference:
        return {"execution": ""}
    try:
        found = json.loads(ticket.reference)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "submitted" in found else None


def _reference(ticket: Ticket, written: Mapping[str, Any]) -> str:
    return f"{ticket.job} {written.get('execution') or written.get('submitted', '')}".strip()
