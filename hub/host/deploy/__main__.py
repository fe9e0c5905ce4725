"""`python3 -m hub.host.deploy COMMAND`: one module per command, or per few related commands.

Each module has `add_arguments(name, parser)` and `run(name, arguments) -> exit status`, and
raises DeployError if something on this host prevents the command.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from hub.facts.errors import UserError
from hub.facts.signals import end_in_order

# Command -> the module in hub.host.deploy that implements it, and its line of help.
COMMANDS = {
    "base": ("base", "build a Debian base image locally, if none can be downloaded"),
    "models": ("models", "add models to the deployment's models folder, or verify them"),
    "images": ("images", "build the images, resuming an interrupted build"),
    "up": ("stack", "start all services, or apply changed settings"),
    "down": ("stack", "stop everything; all data is kept"),
    "status": ("stack", "show the services and the server's address"),
    "logs": ("stack", "show the services' logs"),
    "doctor": ("doctor", "check this host for problems, with a fix for each"),
    "backup": ("backup", "back up all data while the server runs"),
    "restore": ("backup", "restore a backup"),
    "roster": ("people", "import the students from a CSV file"),
    "links": ("people", "make one-time password links"),
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
    except UserError as error:
        print(f"\n{error.shown}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to continue.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
