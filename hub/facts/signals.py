"""How a command is ended from outside."""

import signal


def end_in_order() -> None:
    """Have Ctrl-C and a plain `kill` both raise KeyboardInterrupt, and so end what was started.

    Also in the background of a script, which starts its children deaf to Ctrl-C.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
