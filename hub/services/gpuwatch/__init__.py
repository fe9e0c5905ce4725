"""Finds who uses more GPU memory than their slot has."""
