"""The transport ``file_drop`` passes the kit that we ship, with a plate reader in a process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from adapters.file_drop import FileDrop
from adapters.protocol import Evaluator, Sample
from adapters.testing import EvaluatorConformance
from tests.plate_reader import PlateReader, reading


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlateReader]:
    """A reader that measures at once."""
    with reading(tmp_path_factory.mktemp("reader"), "--seconds", "0") as found:
        yield found


@pytest.mark.slow
class TestFileDrop(EvaluatorConformance):
    @pytest.fixture(autouse=True)
    def _reader(self, reader: PlateReader) -> None:
        self.reader = reader

    def evaluator(self) -> Evaluator:
        options = self.reader.options()
        options["results"] |= {"settle": 0}
        return FileDrop(**options)

    def samples(self) -> Sequence[Sample]:
        points = [(7.4, 150), (6, 20), (8.5, 400)]
        return [Sample("parameters", f'{{"ph": {ph}, "salt": {salt}}}') for ph, salt in points]
