"""What a training run tells of itself: a line of losses an epoch, and the same for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tensorboardX import SummaryWriter

from orchestrator.training.data import write_atomically

LINES = "losses.jsonl"
EVENTS = "events"
"""Folder of TensorBoard's event files: ``tensorboard --logdir`` reads it, or any folder above."""


class Log:
    """Writes ``losses.jsonl`` and event files; a resumed run goes on where its checkpoint is.

    A term of the loss is ``training/NAME`` in TensorBoard and ``NAME`` in a line; one on what is
    kept apart for early stopping is ``validation/NAME`` and ``validation_NAME``. The step is the
    number of epochs.
    """

    def __init__(self, out: Path, epochs: int) -> None:
        """Drops what a killed run logged after the checkpoint, for it will be logged again.

        Args:
            out: folder of the training run.
            epochs: whole epochs done at the checkpoint; 0 for a new run.
        """
        self._lines = out / LINES
        text = self._lines.read_text(encoding="utf-8") if self._lines.exists() else ""
        kept = [line for line in text.splitlines() if json.loads(line)["epoch"] <= epochs]
        with write_atomically(self._lines) as file:
            file.write("".join(f"{line}\n" for line in kept).encode())
        # Event files are not rewritten: a purge hides what they hold from that step on. The suffix
        # keeps two runs within one second from writing into one file.
        number = len(list((out / EVENTS).glob("*")))
        self._events = SummaryWriter(
            str(out / EVENTS),
            purge_step=epochs + 1 if number else None,
            filename_suffix=f".{number}",
        )

    def write(
        self,
        epoch: int,
        step: int,
        training: Mapping[str, float],
        validation: Mapping[str, float],
    ) -> None:
        """Log one epoch; it is on disk when this returns."""
        apart = {f"validation_{name}": value for name, value in validation.items()}
        line = json.dumps({"epoch": epoch, "step": step, **training, **apart})
        with self._lines.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        for part, terms in (("training", training), ("validation", validation)):
            for name, value in terms.items():
                self._events.add_scalar(f"{part}/{name}", value, epoch)
        self._events.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._events.close()
