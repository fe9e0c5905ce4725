"""GPU slots: who gets which, how a container asks for it, what a kernel may use of it."""
