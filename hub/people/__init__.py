"""The course's people: accounts, roster, and rights."""
