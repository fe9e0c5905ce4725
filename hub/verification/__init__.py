"""Proves that the tests of an assignment award and deduct the right points."""
