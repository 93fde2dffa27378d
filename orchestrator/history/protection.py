"""What protects a history besides its chain: that nobody was let in past it.

Each check reads the stored tables alone; that these are what the ledger says, the fold shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from adapters.messages import plain, quote
from db.models import SYSTEM
from orchestrator.accounts import fingerprint
from orchestrator.errors import Problem
from orchestrator.history import refold


def secrets(session: Session) -> Iterator[Problem]:
    """Passwords and tokens that no entry of the system chain made."""
    good: dict[str, str | None] = {}
    entry, secret = refold.untyped("ledger_entry"), refold.untyped("secret")
    kinds = ("account", "disable", "password", "token", "logout")
    query = (
        select(entry.c.sequence, entry.c.payload)
        .where(entry.c.chain == SYSTEM, entry.c.kind.in_(kinds))
        .order_by(entry.c.sequence)
    )
    for sequence, payload in session.execute(query.execution_options(yield_per=500)).tuples():
        try:
            good |= json.loads(payload)["about"].get("secrets", {})
        except Exception as error:  # a forged entry may hold anything
            what = f"says nothing of secrets: {plain(f'{type(error).__name__}: {error}', 200)}"
            yield Problem(f"system, entry {sequence}", what)
    for row in session.execute(select(secret).order_by(secret.c.id)):
        values = dict(row._mapping)
        try:
            values["scopes"] = json.loads(values["scopes"])
            genuine = good.get(values["id"]) == fingerprint(values)
        except Exception:  # a forged row, too
            genuine = False
        if not genuine:
            yield Problem(f"table secret, {quote(values['id'])}", "no entry made it as it is")
