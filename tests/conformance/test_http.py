"""The kit on the transport http, with the reference server in another process."""

import json
import runpy
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import uvicorn

from adapters.http_service import HttpEvaluator
from adapters.protocol import Evaluator, Sample
from adapters.testing import EvaluatorConformance

SERVER = Path(__file__).parents[2] / "examples" / "assay-server" / "server.py"


class TestHttp(EvaluatorConformance):
    """Against the server of the examples."""

    url: str

    @pytest.fixture(autouse=True, scope="class")
    def _server(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        file = tmp_path_factory.mktemp("assays") / "assays.db"
        app = runpy.run_path(str(SERVER))["build"](str(file), takes=0.01)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        type(self).url = f"http://127.0.0.1:{port}"
        yield
        server.should_exit = True
        thread.join()

    def evaluator(self) -> Evaluator:
        return HttpEvaluator(
            url=self.url, measures={"yield": "percent"}, kinds=["parameters"], batch_size=2
        )

    def samples(self) -> Sequence[Sample]:
        return [
            Sample("parameters", json.dumps({"temperature": heat, "time": 40}))
            for heat in (40, 60, 80)
        ]
