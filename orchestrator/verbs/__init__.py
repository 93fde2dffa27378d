"""What the five verbs of the loop are made of; `orchestrator/loop.py` is read first."""
