"""The command ``assayloop`` with the hooks of :mod:`tests.faults.boundaries` in it.

``python -m tests.faults.command FOLDER KILL_AT run SPEC`` dies at boundary KILL_AT, counted within
the verbs, where the same are crossed under Prefect as without it; at 0 it lives.
"""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator import cli
from tests.faults.boundaries import Crossings

if __name__ == "__main__":
    folder, kill_at, *arguments = sys.argv[1:]
    Crossings(Path(folder), int(kill_at) or None, inside=True).install()
    sys.exit(cli.main(arguments))
