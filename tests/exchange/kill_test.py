"""Kill the exchange with ``kill -9`` inside requests, again and again, and count what is lost.

    python -m tests.exchange.kill_test [--submissions 200] [--kills 50]

Four students submit at once, with the client that real students use, archives from 1 kB to 20 MB.
A submission that is chosen for it takes the service down while its own request is under way: in
the middle of its bytes, or some milliseconds after the last one, when the server checks, flushes,
renames and commits. The service is started again, and the client does what it always does.
A kill counts only if its request had begun and then ended without an answer.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from hub.exchange import archive
from hub.exchange.client.outbox import RECEIPTS_FILE, Outbox
from hub.exchange.client.transport import HttpTransport, Record, sha256_of
from hub.exchange.errors import ServiceAway
from hub.exchange.limits import ExchangeLimits, size_text
from tests.exchange.running import ServiceProcess
from tests.exchange.samples import ASSIGNMENT, COURSE, notebook
from tests.exchange.stand_in_hub import INSTRUCTORS, STUDENTS, StandInHub, user

WORKERS = 4
KILOBYTE, MIDDLE, END = 1000, "in the middle of the bytes", "after the last byte"


@dataclass
class Tally:
    """What happened; times in seconds."""

    submissions: int = 0
    bytes: int = 0
    kills: dict[str, int] = field(default_factory=lambda: {MIDDLE: 0, END: 0})
    answered_first: int = 0  # planned kills that came after the answer, and were not made
    committed_unacknowledged: int = 0  # in before the kill; the repeat got the first receipt
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [
            f"submissions acknowledged      {self.submissions} ({size_text(self.bytes)})",
            f"kills inside a request        {sum(self.kills.values())}",
            *(f"  {where:<28}{count}" for where, count in self.kills.items()),
            f"kept before the kill, receipt repeated   {self.committed_unacknowledged}",
            f"kills not made, answer was faster        {self.answered_first}",
            f"seconds                       {self.seconds:.0f}",
            *(f"FAULT {fault}" for fault in self.faults),
            "every acknowledged submission is there, whole, once" if not self.faults else "FAILED",
        ]


@dataclass
class Kill:
    """Where in a request the service is to be killed: `at` a share of the bytes, or `delay` s."""

    where: str
    at: float = 1.0
    delay: float = 0.0


class Executioner:
    """Kills the service inside the request it is told about, and starts it again."""

    def __init__(self, service: ServiceProcess, tally: Tally) -> None:
        self._service, self._tally = service, tally
        self._one_at_a_time = threading.Lock()

    def kill(self, request: Request) -> None:
        with self._one_at_a_time:
            if request.ended.is_set():
                self._tally.answered_first += not request.failed
                return
            request.killed = True
            self._service.kill()
            request.ended.wait(30)
            if request.failed:
                self._tally.kills[request.plan.where] += 1
            else:
                self._tally.answered_first += 1
            self._service.start()


@dataclass
class Request:
    """One upload on its way: its planned kill, and whether it ended, and how."""

    plan: Kill
    ended: threading.Event = field(default_factory=threading.Event)
    failed: bool = False
    killed: bool = False


class Watched:
    """A file that has the service killed when as much of it has been sent as planned."""

    def __init__(self, file: BinaryIO, request: Request, executioner: Executioner) -> None:
        self._file, self._request, self._executioner = file, request, executioner
        self._kill_at = request.plan.at * os.fstat(file.fileno()).st_size
        self._killing = False

    def fileno(self) -> int:
        return self._file.fileno()

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(65536), b"")

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        if not self._killing and self._file.tell() >= self._kill_at:
            self._killing = True
            threading.Timer(
                self._request.plan.delay, self._executioner.kill, [self._request]
            ).start()
            if self._request.plan.where == MIDDLE:
                time.sleep(0.05)  # hold the rest back, so that the kill is in the middle
        return chunk


class Sender(HttpTransport):
    """The real client's transport; a marked submission is watched until it was killed."""

    delays = (0.2,) * 200

    def __init__(self, url: str, token: str, executioner: Executioner) -> None:
        super().__init__(url, token)
        self._executioner = executioner
        self.plan: Kill | None = None
        self.attempt_began = 0.0

    def _read(self, method: str, path: str, params: dict[str, str | None], **body: Any) -> Any:
        self.attempt_began = time.time()
        if method != "PUT" or self.plan is None:
            return super()._read(method, path, params, **body)
        request, self.plan = Request(self.plan), None
        body["content"] = Watched(body["content"], request, self._executioner)
        try:
            return super()._read(method, path, params, **body)
        except httpx.TransportError:
            request.failed = True
            if not request.killed:  # it fell with another's kill: its own is still to come
                self.plan = request.plan
            raise
        finally:
            request.ended.set()


class Student:
    """Submits what it is given until it is acknowledged, and remembers the receipts."""

    def __init__(self, home: Path, sender: Sender, tally: Tally, limits: ExchangeLimits) -> None:
        home.mkdir()
        self._home, self._sender, self._tally, self._limits = home, sender, tally, limits
        self._outbox = Outbox(home / "state", home / RECEIPTS_FILE)
        self.acknowledged: list[Record] = []

    def submit(self, data: bytes, plan: Kill | None) -> None:
        work = self._home / "induction-heads.ipynb"
        work.write_bytes(data)
        self._sender.plan = plan
        pending = self._outbox.pack(COURSE, ASSIGNMENT, {work.name: work}, self._limits)
        with open(pending.path, "rb") as file:
            sha256 = sha256_of(file)
        while True:
            try:
                receipt = self._outbox.send(pending, self._sender)
                break
            except ServiceAway:  # what the student would see; submitting again finishes it
                (pending,) = self._outbox.unsent(COURSE, ASSIGNMENT)
        self.acknowledged.append({**receipt, "sent": sha256})
        received = datetime.fromisoformat(receipt["received_at"]).timestamp()
        if received < self._sender.attempt_began:
            self._tally.committed_unacknowledged += 1


class Work:
    """Hands out submissions, and with them kills, until enough of both have been made."""

    def __init__(self, tally: Tally, submissions: int, kills: int, largest: int, seed: int) -> None:
        self._rng, self._tally, self._kills = random.Random(seed), tally, kills
        self._sizes = sizes(submissions, largest, self._rng)
        self._left = submissions  # below 0: more than asked, because kills are missing
        self._taking = threading.Lock()
        self.given = 0

    def take(self) -> tuple[bytes, Kill | None] | None:
        """The next submission's bytes and its planned kill; None when all is done."""
        with self._taking:
            missing = self._kills - sum(self._tally.kills.values())
            if self._left <= -len(self._sizes) or (self._left <= 0 and missing <= 0):
                return None
            # Half as many again as are missing, since some answers will be faster than the kill.
            wanted = self._rng.random() * max(self._left, 1) < 1.5 * missing
            self._left -= 1
            self.given += 1
            size = self._sizes[self.given % len(self._sizes)]
            return self._rng.randbytes(size), self._plan() if wanted else None

    def _plan(self) -> Kill:
        if self._rng.random() < 0.4:
            return Kill(MIDDLE, at=self._rng.uniform(0.0, 0.95))
        return Kill(END, delay=self._rng.uniform(0.0, 0.03))


def run(
    folder: Path,
    *,
    submissions: int,
    kills: int,
    largest: int = 20_000_000,
    seed: int = 1,
    database: str | None = None,
) -> Tally:
    """The whole test in `folder`, with files up to `largest` bytes; `database` as for `Store`.

    Makes more submissions than asked, up to twice as many, while kills are missing.
    """
    tally, begun = Tally(), time.monotonic()
    names = [f"student{number}" for number in range(WORKERS)]
    people = {name: user(name, STUDENTS) for name in names}
    hub = StandInHub({**people, "prof": user("prof", INSTRUCTORS)})
    with open(folder / "service.log", "wb") as log:
        service = ServiceProcess(folder / "store", hub, log, database)
        prof = HttpTransport(service.url, "prof")
        prof.release(COURSE, ASSIGNMENT, io.BytesIO(notebook()), due=None, force=False)
        executioner = Executioner(service, tally)
        students = [
            Student(folder / name, Sender(service.url, name, executioner), tally, ExchangeLimits())
            for name in names
        ]
        work = Work(tally, submissions, kills, largest, seed)

        def submit_all(student: Student) -> None:
            while (taken := work.take()) is not None:
                student.submit(*taken)

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(submit_all, students))
        service.kill()
        service.start()
        acknowledged = [record for student in students for record in student.acknowledged]
        check(prof, folder / "store", acknowledged, work.given, tally)
        service.stop()
    hub.close()
    if sum(tally.kills.values()) < kills:
        tally.faults.append(f"only {sum(tally.kills.values())} of {kills} kills inside a request")
    tally.seconds = time.monotonic() - begun
    return tally


def sizes(count: int, largest: int, rng: random.Random) -> list[int]:
    """`count` sizes in bytes, spread evenly over the orders of magnitude; both ends are there."""
    spread = [int(KILOBYTE * (largest / KILOBYTE) ** rng.random()) for _ in range(count - 2)]
    return [KILOBYTE, largest, *spread]


def check(
    prof: HttpTransport, store: Path, acknowledged: list[Record], expected: int, tally: Tally
) -> None:
    """Everything acknowledged is listed once and has its bytes; nothing else is there."""
    listed = {record["receipt"]: record for record in prof.all_submissions(COURSE, ASSIGNMENT)}
    receipts = [record["receipt"] for record in acknowledged]
    if len(acknowledged) != expected or len(set(receipts)) != expected:
        tally.faults.append(f"{len(set(receipts))} receipts for {expected} submissions")
    for record in acknowledged:
        if record["receipt"] not in listed:
            tally.faults.append(f"lost: {record['receipt']}")
            continue
        with tempfile.TemporaryFile() as file:
            prof.download(COURSE, record["receipt"], file)
            if not sha256_of(file) == record["sha256"] == record["sent"]:
                tally.faults.append(f"other bytes: {record['receipt']}")
            archive.read(file, ExchangeLimits())
        tally.bytes += record["bytes"]
    tally.submissions = len(acknowledged)
    if unknown := listed.keys() - set(receipts):
        tally.faults.append(f"visible but never acknowledged: {sorted(unknown)}")
    if left := sorted((store / "incoming").iterdir()):
        tally.faults.append(f"not swept: {left}")
    blobs = {path.name for path in (store / "blobs").rglob("*") if path.is_file()}
    known = {record["sha256"] for record in listed.values()}
    known |= {record["sha256"] for record in prof.assignments(COURSE)}
    if blobs != known:
        tally.faults.append(f"{len(blobs - known)} blobs too many, {len(known - blobs)} missing")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="exchange-kill-") as folder:
        tally = run(Path(folder), **vars(arguments))
    print("\n".join(tally.lines()))
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
