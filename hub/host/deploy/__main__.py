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
    "models": ("models", "add models to the deployment's folder, or verify them"),
    "images": ("images", "build the images, resuming where a build stopped"),
    "up": ("stack", "start all services, apply changed settings"),
    "down": ("stack", "stop everything; all data is kept"),
    "status": ("stack", "show services and the address"),
    "logs": ("stack", "the log of each service"),
    "doctor": ("doctor", "check this host for problems, with a fix for each"),
    "backup": ("backup", "back up all data while the server runs"),
    "restore": ("backup", "restore a backup"),
    "roster": ("people", "import the students from a CSV file"),
    "links": ("people", "one-time links to set a password"),
}


def main(arguments: list[str] | None = None) -> int:
    end_in_order()
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python3 -m hub.host.deploy")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (source, help_line) in COMMANDS.items():
        command = commands.add_parser(name, help=help_line, description=help_line)
        if given[:1] == [name]:
            importlib.import_module(f"hub.host.deploy.{source}").add_arguments(name, command)
    options = parser.parse_args(given)
    module = importlib.import_module(f"hub.host.deploy.{COMMANDS[options.command][0]}")
    try:
        return module.run(options.command, options)
    except DeployError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to continue.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
