"""A Python function or class as an evaluator, named in the spec: no package to write."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters import declared
from adapters.at_hand import AtHand, Pool, request, require_workers
from adapters.command import source
from adapters.function import FunctionEvaluator
from adapters.messages import quote
from adapters.protocol import Capabilities, EvaluatorError, Job, OptionError, Source
from adapters.python_worker import answer as answer_here
from adapters.worker_process import Leash

FORM = "write ./my_assay.py:reactor, or module:function"


class PythonSource(AtHand):
    """Calls a function for each sample, in processes of its own that can be stopped.

    Args:
        function: ``./FILE.py:NAME``, beside the spec, or ``MODULE:NAME``. A class is made once a
            worker, and called.
        measures: What it returns; see :mod:`adapters.declared`. Left out where the function is
            decorated with :func:`adapters.function.evaluator`.
        kinds: Kinds of sample; for ``parameters`` it gets their dict, else the ``Sample``.
        workers: Processes; 0 calls it in this one, where nothing can stop it.
        batch_size: The most jobs of one submission; as many as workers by default.
        timeout: Seconds for one sample, after which its process is killed.
        memory: Megabytes of one process.
        idempotent: Whether calling it twice for one sample does no harm and gives the same.
        cost: Of one job.
        expected_duration: Seconds of one job.

    Raises:
        OptionError: an option cannot be used.
        EvaluatorError: the function cannot be loaded, where that is needed to know its measures.
    """

    def __init__(
        self,
        *,
        function: str,
        measures: declared.Measures | None = None,
        kinds: Sequence[str] | None = None,
        workers: int = 1,
        batch_size: int | None = None,
        timeout: float | None = None,
        memory: float | None = None,
        idempotent: bool | None = None,
        cost: float | None = None,
        expected_duration: float = 0.0,
    ) -> None:
        place, _, name = function.rpartition(":")
        if not place or not name.isidentifier():
            raise OptionError("function", f"function is {quote(function)}; {FORM}")
        if place.endswith(".py") and not Path(place).is_file():
            raise OptionError("function", f"there is no file {quote(place)}; {FORM}")
        if timeout is not None and (timeout <= 0 or workers == 0):
            what = "needs workers: 1 or more" if workers == 0 else "must be above 0"
            raise OptionError("timeout", f"timeout is {timeout:g} s, and {what}")
        self._reference = function
        loaded = load(function) if measures is None else None
        if measures is None and not isinstance(loaded, FunctionEvaluator):
            what = f"measures is missing, and {function} is not decorated with @evaluator"
            raise OptionError("measures", f"{what}; give them, as {{yield: percent}}")
        own = loaded.capabilities if isinstance(loaded, FunctionEvaluator) else None
        usual = frozenset({"parameters"}) if own is None else own.sample_kinds
        capabilities = Capabilities(
            name=name.replace("_", "-"),
            version="1" if own is None else own.version,
            sample_kinds=usual if kinds is None else frozenset(kinds),
            measures=own.measures
            if own and measures is None
            else declared.measures(measures or {}),
            batch_size=require_workers(workers or 1, batch_size),
            synchronous=True,
            idempotent=bool(own and own.idempotent) if idempotent is None else idempotent,
            cost=(own.cost if own else 0.0) if cost is None else cost,
            expected_duration=expected_duration,
        )
        super().__init__(capabilities, max(workers, 1))
        memory_bytes = None if memory is None else int(memory * 1e6)
        command = [sys.executable, "-m", "adapters.python_worker", function]
        # Modules are found where this process finds them; a spec's folder is not one of the places.
        paths = {"PYTHONPATH": ":".join(one for one in sys.path if one)}
        self._pool = Pool(Leash(command, timeout, memory_bytes, paths)) if workers else None
        self._function: Any = None

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that the measures are declared and the function can be loaded.

        Raises:
            EvaluatorError: it cannot.
        """
        super().check(measures)
        if not self._reference.partition(":")[0].endswith(".py"):
            load(self._reference)

    def sources(self) -> Sequence[Source]:
        """The file that the function stands in, where it is known."""
        place = self._reference.rpartition(":")[0]
        if not place.endswith(".py"):
            found = importlib.util.find_spec(place)
            if found is None or found.origin is None or not found.origin.endswith(".py"):
                return []
            place = found.origin
        return [source(Path(place))]

    def answer(self, job: Job) -> bytes:
        """What the function returned for a job, as JSON.

        Raises:
            ProgramError: its process gave no answer.
        """
        if self._pool is not None:
            return self._pool.ask(request(job))
        if self._function is None:
            self._function = load(self._reference)
        return answer_here(self._function, request(job))

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.close()


def load(reference: str) -> object:
    """What a reference names.

    Raises:
        EvaluatorError: it cannot be loaded.
    """
    place, _, name = reference.rpartition(":")
    try:
        if place.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(place).stem, place)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules.setdefault(spec.name, module)  # as dataclasses and pickles expect
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(place)
        return getattr(module, name)
    except Exception as error:  # it runs its author's code
        what = f"{reference} cannot be loaded: {type(error).__name__}: {error}"
        raise EvaluatorError(what) from error
