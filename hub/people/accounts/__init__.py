"""How people log in: demonstration passwords, passwords of their own, an institution's accounts."""
