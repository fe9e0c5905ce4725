"""The sockets between a worker and the process that started it.

Sockets, since student code may run under the account of both: it opens a file or a pipe of another
process again through /proc/PID/fd, and with it the tests or the results, but never a socket.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

CHUNK = 1024 * 1024


class WorkerSocket:
    """A socket whose other end, `theirs`, a process is given: sends `data`, keeps what comes.

    most: bytes that are kept of what comes, the first ones, or the last ones if `newest`. The rest
        is read and dropped, so that whoever sends it is not held up and no memory is filled.
    """

    def __init__(self, most: int, data: bytes = b"", newest: bool = False) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._most, self._data, self._newest = most, data, newest
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._serve, name="worker line", daemon=True)

    def start(self) -> None:
        """Begin, now that the other process holds its end."""
        self.theirs.close()
        self._thread.start()

    def close(self) -> None:
        """End it, whoever else holds the other end; what has been sent so far is kept."""
        self.theirs.close()
        with suppress(OSError):
            self._ours.shutdown(socket.SHUT_RD)
        if self._thread.ident is not None:
            self._thread.join()
        self._ours.close()

    def received(self) -> bytes:
        """What came, once the line is closed."""
        return bytes(self._kept)

    def _serve(self) -> None:
        # A worker that is killed breaks off what it has not read or written: that ends the line.
        with suppress(OSError):
            self._ours.sendall(self._data)
            self._ours.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while chunk := self._ours.recv(CHUNK):
                if self._newest:
                    self._kept += chunk
                    del self._kept[: -self._most]
                else:
                    self._kept += chunk[: self._most - len(self._kept)]
