"""The seed of all draws: another in every session, printed, and repeated by the environment."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

SEED = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(10**6))

Say = Callable[[str], None]
"""Prints a line past pytest, with the seed."""
