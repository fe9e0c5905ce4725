"""What course notebooks import: models by name, pictures, checks, calls and the glossary."""

from course.terms import glossary

__all__ = ["glossary"]
