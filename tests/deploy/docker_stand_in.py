#!/usr/bin/env python3
"""`docker` for tests of backups: volumes are folders, databases are files, all below $ENGINE.

Containers of `docker run` are commands of this machine that see the folder in place of /volume.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

engine = Path(os.environ["ENGINE"])
words = sys.argv[1:]
with (engine / "asked").open("a", encoding="utf-8") as log:
    log.write(" ".join(words) + "\n")


def labelled():
    services = [path.name for path in (engine / "services").iterdir()]
    wanted = [word.partition("service=")[2] for word in words if "compose.service=" in word]
    if f"label=com.docker.compose.project={os.environ['PROJECT']}" not in " ".join(words):
        return []
    return [name for name in services if not wanted or name in wanted]


if words[0] == "compose":
    if words[-3:] == ["up", "-d", "db"]:
        (engine / "services" / "db").touch()
        for name in ("hub", "course", "people", "exchange", "gateway"):
            (engine / "volumes" / f"{os.environ['PROJECT']}_{name}").mkdir()
elif words[0] == "ps":
    print("\n".join(labelled()))
elif words[0] == "inspect":
    print(
        json.dumps(
            [
                {
                    "Id": name,
                    "Config": {"Labels": {"com.docker.compose.service": name}},
                    "State": {"Status": "running"},
                    "RestartCount": 0,
                }
                for name in words[1:]
            ]
        )
    )
elif words[0] == "volume" and words[1] == "ls":
    part = next(word for word in words if word.startswith("--filter=name=")).split("=")[2]
    print("\n".join(path.name for path in (engine / "volumes").iterdir() if part in path.name))
elif words[0] == "volume":
    (engine / "volumes" / words[-1]).mkdir(exist_ok=True)
elif words[0] == "image":
    print((engine / "images").read_text())
elif words[0] == "exec" and "pg_dump" in words:
    path = engine / "databases" / words[-1]
    sys.stdout.write(path.read_text() if path.exists() else sys.exit(f"no database {words[-1]}"))
elif words[0] == "exec" and "psql" in words[-1]:
    # What psql would be given, kept as the database of that name.
    script = words[-1].replace("psql -q -v ON_ERROR_STOP=1 -d ", f"cat > {engine}/databases/")
    sys.exit(subprocess.run(["sh", "-c", script]).returncode)
elif words[0] == "run":
    given = next(word for word in words if word.startswith("--volume="))
    volume = given.removeprefix("--volume=").partition(":")[0]
    if not any(word.endswith(":t1") for word in words):
        sys.exit("no such image")
    folder = engine / "volumes" / volume
    folder.mkdir(exist_ok=True)
    sys.exit(subprocess.run(["sh", "-c", words[-1].replace("/volume", str(folder))]).returncode)
