"""The transport ``sila2`` passes the kit that we ship, against a server in another process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from adapters.protocol import Evaluator, Sample
from adapters.sila2_server import Sila2Evaluator
from adapters.testing import EvaluatorConformance
from tests.photometer import Photometer, cuvette, serving

pytestmark = pytest.mark.slow  # a server is started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Photometer]:
    """A photometer that measures at once."""
    with serving(tmp_path_factory.mktemp("photometer"), "--seconds", "0") as found:
        yield found


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Photometer]:
    """The same with TLS."""
    with serving(tmp_path_factory.mktemp("tls"), "--seconds", "0", tls=True) as found:
        yield found


class TestObservable(EvaluatorConformance):
    @pytest.fixture(autouse=True)
    def _server(self, encrypted: Photometer) -> Iterator[None]:
        self.server = encrypted
        self.made: list[Sila2Evaluator] = []
        yield
        for one in self.made:
            one.close()

    def evaluator(self) -> Evaluator:
        self.made.append(self.server.evaluator())
        return self.made[-1]

    def samples(self) -> Sequence[Sample]:
        # The dye precipitates in the third, the shutter sticks at the fourth, the fifth is too hot.
        points = [(60, 8), (25, 6), (60, 2), (60, 13.5), (150, 8)]
        return [cuvette(*point) for point in points]


class TestUnobservable(EvaluatorConformance):
    @pytest.fixture(autouse=True)
    def _server(self, server: Photometer) -> Iterator[None]:
        self.server = server
        self.made: list[Sila2Evaluator] = []
        yield
        for one in self.made:
            one.close()

    def evaluator(self) -> Evaluator:
        self.made.append(Sila2Evaluator(**self.server.glance(in_flight=3)))
        return self.made[-1]

    def samples(self) -> Sequence[Sample]:
        return [cuvette(22, ph) for ph in (8, 6, 2, 13.5)]
