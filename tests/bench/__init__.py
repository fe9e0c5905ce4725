"""How long people wait, each figure beside a named baseline measured in the same run."""
