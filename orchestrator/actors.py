"""Who does it. In single-user mode the actor is the operating system's account, never typed in."""

from __future__ import annotations

import os

from db.ledger import Actor


def current() -> Actor:
    """The account that owns this process, by its user id: no environment variable is believed."""
    try:
        import pwd
    except ImportError:  # Windows has no pwd; its log-in name comes from the session
        return Actor(kind="os account", id=os.getlogin())
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container may run as a user id without a name
        name = f"uid {uid}"
    return Actor(kind="os account", id=name)
