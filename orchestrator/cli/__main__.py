"""``python -m orchestrator.cli`` is ``assayloop``."""

import sys

from orchestrator.cli import main

sys.exit(main())
