"""How much the exchange accepts, and how sizes are shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from hub.facts import limits
from hub.facts.limits import MIB


@dataclass(frozen=True)
class ExchangeLimits:
    """Limits on an upload and on a student's submissions in one course, in bytes unless noted."""

    submission_bytes: int = limits.SUBMISSION_MIB * MIB
    file_bytes: int = limits.SUBMISSION_FILE_MIB * MIB
    files: int = limits.SUBMISSION_FILES  # files in one upload
    quota_bytes: int = limits.SUBMISSIONS_MIB * MIB  # all submissions of one student in one course
    uploads_at_once: int = limits.UPLOADS_AT_ONCE  # unfinished uploads of one user

    def as_json(self) -> dict[str, int]:
        return asdict(self)


def size_text(size: int) -> str:
    """`size` bytes, human-readable: ``'512 bytes'``, ``'20.0 kB'``, ``'1.5 MB'`` (decimal)."""
    if size < 1000:
        return f"{size} bytes"
    if size < 1_000_000:
        return f"{size / 1000:.1f} kB"
    return f"{size / 1_000_000:.1f} MB"
