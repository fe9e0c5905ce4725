"""The one archive format of the exchange: the same files always give the same bytes.

A plain uncompressed ustar file (POSIX.1-1988, readable by every ``tar``) in which nothing is
left to choose: regular files only, sorted by path, mode 0644, owner 0, time 0, two blocks of
zeros at the end and nothing after. A reader rebuilds each header from its path and size and
accepts no other bytes, so links, devices, extended headers, sparse files and declared owners
are all refused by one comparison.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hub.exchange.errors import InvalidArchive, InvalidName, TooLarge
from hub.exchange.limits import ExchangeLimits, size_text
from hub.exchange.names import COMPONENT_BYTES, check_paths

BLOCK = 512
END = bytes(2 * BLOCK)
_COPY_BYTES = 256 * 1024


@dataclass(frozen=True)
class Member:
    """One file in an archive: its path, its size in bytes and the offset of its content."""

    path: str
    size: int
    offset: int


def header(path: str, size: int) -> bytes:
    """The 512-byte header before the `size` bytes of `path`, which has been checked."""
    encoded = path.encode()
    prefix, name = b"", encoded
    if len(encoded) > COMPONENT_BYTES:
        cut = encoded.index(b"/", len(encoded) - COMPONENT_BYTES - 1)
        prefix, name = encoded[:cut], encoded[cut + 1 :]
    fields = [
        name.ljust(100, b"\0"),
        b"0000644\0",  # mode
        b"0000000\0",  # owner
        b"0000000\0",  # group
        b"%011o\0" % size,
        b"00000000000\0",  # time
        b" " * 8,  # the checksum field counts as spaces in its own computation
        b"0",  # a regular file
        bytes(100),  # no link
        b"ustar\00000",
        bytes(64),  # no names of owner and group
        b"0000000\0" * 2,  # no device
        prefix.ljust(155, b"\0"),
        bytes(12),
    ]
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def packed_size(sizes: Iterable[int]) -> int:
    """Size in bytes of an archive of files of these sizes."""
    return sum(BLOCK + size + -size % BLOCK for size in sizes) + len(END)


def check_sizes(sizes: dict[str, int], limits: ExchangeLimits) -> None:
    """Raise TooLarge if files of these sizes (path: bytes) exceed a limit."""
    if len(sizes) > limits.files:
        raise TooLarge(
            f"There are {len(sizes)} files; the limit is {limits.files}.",
            "Remove the files that do not belong to the assignment.",
        )
    for path, size in sizes.items():
        if size > limits.file_bytes:
            raise TooLarge(
                f"{path} is {size_text(size)}; the limit for a file is "
                f"{size_text(limits.file_bytes)}.",
                "Clear large outputs, or remove the file.",
            )
    total = packed_size(sizes.values())
    if total > limits.submission_bytes:
        raise TooLarge(
            f"All files together are {size_text(total)}; "
            f"the limit is {size_text(limits.submission_bytes)}.",
            "Clear large outputs, or remove files that do not belong to the assignment.",
        )


def files_in(folder: Path, ignored: Callable[[str, os.DirEntry], bool]) -> dict[str, Path]:
    """The regular files under `folder` by relative path, sorted; links are never followed.

    `ignored(path, entry)` decides what to leave out, files or folders. Raises InvalidName for
    a symbolic link or special file.
    """
    found: dict[str, Path] = {}

    def walk(directory: Path, prefix: str) -> None:
        with os.scandir(directory) as entries:
            for entry in entries:
                path = prefix + entry.name
                if ignored(path, entry):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    walk(Path(entry.path), path + "/")
                elif entry.is_file(follow_symlinks=False):
                    found[path] = Path(entry.path)
                else:
                    kind = "a symbolic link" if entry.is_symlink() else "not a regular file"
                    raise InvalidName(
                        f"{path!r} is {kind}.", "Replace it with the file itself, or remove it."
                    )

    walk(folder, "")
    return dict(sorted(found.items()))


def pack(files: dict[str, Path], out: BinaryIO, limits: ExchangeLimits) -> None:
    """Write the archive of `files` (path in the archive: file) to `out`.

    Raises InvalidName or TooLarge before anything is written, InvalidArchive if a file changes
    while it is being read.
    """
    paths = sorted(check_paths(files))
    sizes = {path: files[path].lstat().st_size for path in paths}
    check_sizes(sizes, limits)
    for path in paths:
        out.write(header(path, sizes[path]))
        _copy_file(files[path], path, sizes[path], out)
        out.write(_padding(sizes[path]))
    out.write(END)


def _copy_file(source: Path, path: str, size: int, out: BinaryIO) -> None:
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size != size:
            raise InvalidArchive(f"{path} changed while it was being read.", "Try again.")
        left = size
        while left and (chunk := file.read(min(left, _COPY_BYTES))):
            out.write(chunk)
            left -= len(chunk)
        if left:
            raise InvalidArchive(f"{path} changed while it was being read.", "Try again.")


def read(archive: BinaryIO, limits: ExchangeLimits) -> list[Member]:
    """The members of `archive`, with every byte outside their content checked.

    Raises InvalidArchive, InvalidName or TooLarge. Reads only headers and stops at the first
    fault, so an archive that declares huge sizes costs no more than the bytes it has.
    """
    length = archive.seek(0, os.SEEK_END)
    members: list[Member] = []
    offset = 0
    archive.seek(0)
    while True:
        block = archive.read(BLOCK)
        if block == END[:BLOCK]:
            break
        path, size = _parse(block)
        if members and path <= members[-1].path:
            raise InvalidArchive(
                f"{path!r} is out of order or a duplicate in the archive.", _PACK_AGAIN
            )
        if len(members) >= limits.files:
            raise TooLarge(f"More than {limits.files} files.", "Remove files not needed.")
        offset += BLOCK
        if offset + size + -size % BLOCK > length:
            raise InvalidArchive(f"{path!r} is longer than the archive that holds it.", _PACK_AGAIN)
        members.append(Member(path, size, offset))
        archive.seek(offset + size)
        if archive.read(-size % BLOCK) != _padding(size):
            raise InvalidArchive(f"There are hidden bytes after {path!r}.", _PACK_AGAIN)
        offset += size + -size % BLOCK
    if archive.read(BLOCK + 1) != END[BLOCK:] or archive.tell() != length:
        raise InvalidArchive("The archive does not end where it should.", _PACK_AGAIN)
    check_paths(member.path for member in members)
    check_sizes({member.path: member.size for member in members}, limits)
    return members


_PACK_AGAIN = "Submit it with this course's own submit command."


def _parse(block: bytes) -> tuple[str, int]:
    """Path and size from one header, which must be exactly the bytes that `header` writes."""
    fault = InvalidArchive("The archive is not in the exchange's format.", _PACK_AGAIN)
    if len(block) != BLOCK:
        raise fault
    name, prefix = block[:100].rstrip(b"\0"), block[345:500].rstrip(b"\0")
    try:
        path = (prefix + b"/" + name if prefix else name).decode()
        size = int(block[124:135], 8)
        same = size >= 0 and header(path, size) == block
    except ValueError:
        raise fault from None
    if not same:
        raise fault
    return path, size


def contents(archive: BinaryIO, member: Member) -> Iterator[bytes]:
    """The bytes of one member, in chunks."""
    archive.seek(member.offset)
    left = member.size
    while left:
        chunk = archive.read(min(left, _COPY_BYTES))
        if not chunk:
            raise InvalidArchive(f"{member.path!r} ends too soon.", _PACK_AGAIN)
        left -= len(chunk)
        yield chunk


def extract(archive: BinaryIO, folder: Path, members: Iterable[Member]) -> None:
    """Write `members`, as `read` returned them, under `folder`, which is new and ours.

    Files are only ever created, never opened over an existing one, so no link is followed.
    """
    for member in members:
        target = folder / member.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as file:
            for chunk in contents(archive, member):
                file.write(chunk)
