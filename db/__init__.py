"""State: the ledger, its fold into tables, and the artifacts; SQLite by default, PostgreSQL by URL.

:mod:`db.ledger` is the only writer of the folded tables; everything else here reads.
"""
