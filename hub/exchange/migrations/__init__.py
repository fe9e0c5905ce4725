"""The exchange's tables, one revision after the other, with Alembic.

`versions/` holds the revisions; `python -m hub.exchange.migrations "what changes"` writes the next
one. `upgrade` brings a database to the newest, after `copies` took a copy of it; `plan` decides.
"""
