"""From a submission to its points: rebuild, execute, judge, record."""
