"""The tables of the hub's database."""

from jupyterhub import dbutil

from hub.core.tables import Tables

HUB = Tables("hub's database", dbutil.ALEMBIC_DIR, dbutil.write_alembic_ini)
