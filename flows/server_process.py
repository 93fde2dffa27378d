"""The other side of :mod:`flows.server`: Prefect's API, for as long as standard input is open.

Run as a script, so that it imports nothing of ours and says its port at once.
"""

import os
import signal
import socket
import threading
import time

STOP_TIMEOUT = 2.5
"""Seconds to write what is still held; the parent waits for twice as long."""


def serve() -> None:
    """Serve Prefect's API on a free loopback port until standard input ends."""
    # Named as TCP, or asyncio would leave Nagle's delay on: 30 ms with every answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    os.write(1, b"%d\n" % listener.getsockname()[1])
    os.dup2(2, 1)  # the parent reads no further; whatever is printed goes to the log
    threading.Thread(target=_end_with_parent, daemon=True).start()

    import uvicorn
    from filelock import FileLock
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_HOME

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            # Two first starts in one home must not create the same database at once.
            with FileLock(PREFECT_HOME.value() / "start.lock"):
                await super().startup(sockets=sockets)

    config = uvicorn.Config(
        create_app(), log_level="warning", lifespan="on", timeout_graceful_shutdown=1
    )
    Server(config).run(sockets=[listener])


def _end_with_parent() -> None:
    """End this process soon after the other end of standard input is closed, however that came."""
    os.read(0, 1)  # nothing is ever written there
    os.kill(os.getpid(), signal.SIGTERM)  # in order, once the server runs; at once before that
    time.sleep(STOP_TIMEOUT)
    os._exit(1)


if __name__ == "__main__":
    serve()
