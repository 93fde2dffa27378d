"""``assayloop serve``: receives results while nobody drives."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.settings import Settings


def serve(
    host: Annotated[
        str, typer.Option(help="Where it listens; 0.0.0.0 for other machines, too.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8600,
    every: Annotated[
        float,
        typer.Option(min=0.1, max=3600, help="Seconds between looks at folders and services."),
    ] = 2.0,
) -> None:
    """Receive results for all campaigns: web hooks, folders, brokers, services.

    What arrives is stored and acknowledged at once, and recorded by the next `assayloop run`. It
    may run beside drivers; Ctrl-C ends it, and nothing is lost by that.
    """
    import socket

    import uvicorn

    from orchestrator import opening
    from orchestrator.errors import BadInput
    from orchestrator.people import actors
    from orchestrator.web.app import app
    from orchestrator.web.receiver import Receiver

    database = opening.database(Settings.read(), create=True)
    receiver = Receiver(database, actors.current(database), every)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        raise BadInput.of("--port", f"{host}:{port} cannot be used: {error}") from None
    taken = listener.getsockname()[1]
    place = f"http://{host}:{taken}"
    typer.echo(f"Receiving at {place}; deliveries go to")
    typer.echo(f"  {place}/campaigns/NAME/evaluators/EVALUATOR/deliveries")
    config = uvicorn.Config(app(receiver), log_level="warning", timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[listener])
