"""The kit on functions in processes of their own, and on programs."""

import json
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from adapters.command import Command
from adapters.protocol import Evaluator, Sample
from adapters.python_source import PythonSource
from adapters.testing import EvaluatorConformance

EXAMPLES = Path(__file__).parents[2] / "examples"
MEASURES = {"yield": "percent"}
SAMPLES = [
    Sample("parameters", json.dumps({"temperature": heat, "time": 40})) for heat in (40, 60, 80)
]
KEPT = """\
#!/usr/bin/env python3
import json, sys
for line in sys.stdin:
    job = json.loads(line)
    try:
        value = json.loads(job["sample"]["content"])["temperature"]
        said = {"job": job["job"], "readings": {"yield": value}}
    except Exception as error:
        said = {"job": job["job"], "status": "rejected", "reason": str(error)}
    print(json.dumps(said), flush=True)
"""


class Samples(EvaluatorConformance):
    """What they all measure."""

    __test__ = False

    def samples(self) -> Sequence[Sample]:
        return SAMPLES


class TestPython(Samples):
    """The function of the examples, in two processes."""

    __test__ = True

    def evaluator(self) -> Evaluator:
        function = f"{EXAMPLES}/python-assay/my_assay.py:reactor"
        return PythonSource(function=function, measures=MEASURES, workers=2, idempotent=True)


class TestPythonHere(Samples):
    """The same without a process."""

    __test__ = True

    def evaluator(self) -> Evaluator:
        function = f"{EXAMPLES}/python-assay/my_assay.py:reactor"
        return PythonSource(function=function, measures=MEASURES, workers=0)


class TestCommand(Samples):
    """The program of the examples, a process a job."""

    __test__ = True

    def evaluator(self) -> Evaluator:
        program = f"{EXAMPLES}/command-assay/measure.py"
        return Command(command=[program], measures=MEASURES, kinds=["parameters"], workers=2)


class TestCommandKept(Samples):
    """A program that is kept running."""

    __test__ = True
    program: Path

    @pytest.fixture(autouse=True)
    def _written(self, tmp_path: Path) -> None:
        self.program = tmp_path / "kept.py"
        self.program.write_text(KEPT)
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)

    def evaluator(self) -> Evaluator:
        return Command(
            command=[str(self.program)],
            measures=MEASURES,
            kinds=["parameters"],
            kept=True,
            idempotent=True,
        )
