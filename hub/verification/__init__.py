"""Proofs that the tests of an assignment give and take the points they should."""
