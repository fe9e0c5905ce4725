"""GPU slots: who gets which, how a container requests it, how much a kernel may use of it."""
