"""`python3 -m hub.host.deploy COMMAND`: one module a command, or for a few that belong together.

Such a module has `add_arguments(name, parser)` and `run(name, arguments) -> exit status`, and
raises DeployError where something on this host is in the way.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from hub.facts.signals import end_in_order
from hub.host.deploy.folder import DeployError

# Command -> the module below hub.host.deploy that carries it out, and one line of help.
COMMANDS = {
    "base": ("base", "make a Debian base image here, where none can be downloaded"),
    "models": ("models", "put models into the deployment's folder, check those that are there"),
    "images": ("images", "build the images, resuming where a build stopped"),
    "up": ("stack", "start what does not run, apply changed settings"),
    "down": ("stack", "stop everything; all work is kept"),
    "status": ("stack", "what runs, and at which address"),
    "logs": ("stack", "what each part says"),
    "doctor": ("doctor", "what on this host would stop a course server, and how to mend it"),
    "backup": ("backup", "copy everything that cannot be made again, while the server runs"),
    "restore": ("backup", "bring a backup back"),
    "roster": ("people", "bring in the students of a CSV file"),
    "links": ("people", "one-time links with which people set their passwords"),
}


def main(arguments: list[str] | None = None) -> int:
    end_in_order()
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python3 -m hub.host.deploy")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (place, help_line) in COMMANDS.items():
        command = commands.add_parser(name, help=help_line, description=help_line)
        if given[:1] == [name]:
            importlib.import_module(f"hub.host.deploy.{place}").add_arguments(name, command)
    options = parser.parse_args(given)
    module = importlib.import_module(f"hub.host.deploy.{COMMANDS[options.command][0]}")
    try:
        return module.run(options.command, options)
    except DeployError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: the same command goes on from here.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
