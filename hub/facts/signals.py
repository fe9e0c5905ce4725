"""How a command is ended from outside."""

import os
import select
import signal

STOP = (signal.SIGINT, signal.SIGTERM)


def end_in_order() -> None:
    """Have Ctrl-C and a plain `kill` both raise KeyboardInterrupt, and so end what was started.

    Also in the background of a script, which starts its children deaf to Ctrl-C.
    """
    for number in STOP:
        signal.signal(number, signal.default_int_handler)


class StopRequest:
    """Whether SIGINT or SIGTERM has come, from when this is made on. For the main thread.

    A threading.Event cannot be set by a signal's handler: the handler runs in the thread that may
    just hold the event's lock, and then waits for itself for ever.
    """

    def __init__(self) -> None:
        self._came, tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
        for number in STOP:
            signal.signal(number, lambda *_: None)  # else the signal would end the process

    def wait(self, seconds: float) -> bool:
        """Wait for it, at most `seconds`; whether it has come."""
        return bool(select.select([self._came], [], [], seconds)[0])
