"""Revisions of the exchange's tables, with Alembic.

`versions/` holds the revisions; `python -m hub.exchange.migrations "what changes"` writes the next
one. `upgrade` brings a database to the newest, after copying it; `plan` decides how.
"""
