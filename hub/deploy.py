"""`python3 -m hub.deploy`, which scripts and notes of admins name: `hub.host.deploy` since 0.1."""

import sys

from hub.host.deploy.__main__ import main

if __name__ == "__main__":
    print("hub.deploy is now hub.host.deploy; this name works too.", file=sys.stderr)
    sys.exit(main())
