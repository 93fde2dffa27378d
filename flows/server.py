"""The embedded Prefect server: a child process that lives exactly as long as its parent needs it.

The parent holds two pipes to the child (:mod:`flows.server_process`). On the first the child says
its port; the second is the child's standard input, on which nothing is ever written: its end means
that the parent is done, or was killed, SIGKILL included, and the child goes too. That needs no
signal and no polling, and works on every system.

Prefect has an ephemeral server of its own, but that one is orphaned when its parent is killed,
takes its port by chance, and is asked every tenth of a second whether it is there. Here the socket
listens before anything is imported, so that the first request waits in it until the server answers.
"""

import contextlib
import logging
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator import private_files
from orchestrator.errors import AssayloopError, ExitCode, Problem

START_TIMEOUT = 120.0
"""Seconds until a server that does not answer is given up (11 s are usual on two cores when the
database must be made, 4 s afterwards)."""

STOP_TIMEOUT = 5.0
"""Seconds that a server gets to write what it still holds."""

SERVER_SETTINGS = {
    "PREFECT__SERVER_EPHEMERAL": "1",  # no user interface, no scheduler, no late-run marking
    "PREFECT__SERVER_FINAL": "1",  # the only app of its process: the router may be optimised
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_EVENTS_STREAM_OUT_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}
"""What an embedded server does without: it serves one run, and nobody looks at its events."""


class ServerError(AssayloopError):
    """The embedded server did not start, or does not answer."""

    exit_code = ExitCode.OUR_FAULT

    def __init__(self, what: str, log: Path) -> None:
        remedy = f"{log} says why; PREFECT_API_URL may name a running server instead"
        super().__init__([Problem("", f"Prefect's embedded server {what}", remedy)])


@contextlib.contextmanager
def prefect_api(home: Path, log: Path) -> Iterator[str]:
    """Give the flows of this process a Prefect server, and send the engine's log lines to a file.

    A server that the environment names in ``PREFECT_API_URL`` is used as it is. Otherwise one is
    started for as long as the context is open; its database is kept in ``home / "prefect"``, and
    Prefect profiles of the user are left alone.

    Args:
        home: Assayloop's data folder; made if missing.
        log: File that the lines of Prefect, and of the server, are appended to; made if missing.

    Yields:
        The address of the API, such as ``http://127.0.0.1:41234/api``.

    Raises:
        ServerError: The server ends, or does not answer within :data:`START_TIMEOUT`.
    """
    private_files.make_folder(log.parent)
    private_files.reserve(log)
    given = os.environ.get("PREFECT_API_URL")
    if given:
        with _engine_log(log):
            yield given
        return
    folder = (home / "prefect").resolve()
    private_files.make_folder(folder)
    with _server(folder, log) as url:
        settings = {
            "PREFECT_API_URL": url,
            "PREFECT_HOME": str(folder),
            "PREFECT_LOGGING_TO_API_ENABLED": "false",  # the file has them
        }
        with _environment(settings), _engine_log(log):
            _await_health(url, log)
            try:
                yield url
            finally:
                private_files.close_all(folder)  # what the client in this process wrote there


@contextlib.contextmanager
def _server(folder: Path, log: Path) -> Iterator[str]:
    """Start the server process; yield its address, at which it need not answer yet."""
    environment = {**os.environ, **SERVER_SETTINGS, "PREFECT_HOME": str(folder)}
    with log.open("ab") as lines:
        process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("server_process.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=lines,
            env=environment,
            umask=private_files.OTHERS,
            start_new_session=True,  # Ctrl-C is for the parent, which then stops the child in order
        )
    assert process.stdin
    assert process.stdout
    try:
        port = process.stdout.readline().strip()
        if not port:
            raise ServerError("did not start", log)
        yield f"http://127.0.0.1:{int(port)}/api"
    finally:
        process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _await_health(url: str, log: Path) -> None:
    """Return when the server answers; the connection waits in its socket until then."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(f"{url}/health", timeout=START_TIMEOUT).close()
    except OSError as error:
        raise ServerError(f"does not answer ({error})", log) from error


@contextlib.contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set Prefect's settings for every thread of this process and for its children."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    import prefect.context

    try:
        prefect.context.refresh_global_settings_context()
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        prefect.context.refresh_global_settings_context()


@contextlib.contextmanager
def _engine_log(log: Path) -> Iterator[None]:
    """Point what Prefect prints on the terminal at the file, and back again at the end."""
    import prefect.main  # noqa: F401  # sets up Prefect's logging

    handler = logging.FileHandler(log, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    before: dict[logging.Logger, list[logging.Handler]] = {}
    for logger in [logging.root, *logging.root.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            kept = [h for h in logger.handlers if not _prints(h)]
            if kept != logger.handlers:
                before[logger], logger.handlers = logger.handlers, [*kept, handler]
    try:
        yield
    finally:
        for logger, handlers in before.items():
            logger.handlers = handlers
        handler.close()


def _prints(handler: logging.Handler) -> bool:
    """Whether it is one of Prefect's own that writes to the terminal (and not to its API)."""
    ours = type(handler).__module__ == "prefect.logging.handlers"
    return ours and isinstance(handler, logging.StreamHandler)
