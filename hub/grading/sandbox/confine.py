"""What student code in the executor may not even ask the kernel for.

A filter of system calls (libseccomp) and, where the kernel has them, Landlock's scopes. Both are
inherited by every process started afterwards and can never be taken off again. They close the
ways between two executions that users and folders leave open on a machine without namespaces of
their own for each: ports of the loopback interface, System V and POSIX queues, abstract sockets.
"""

from __future__ import annotations

import ctypes
import errno

from hub.grading.sandbox.landlock import (
    SCOPES_SINCE,
    SET_NO_NEW_PRIVS,
    CannotConfine,
    close_scopes,
    landlock_version,
)

ALLOW = 0x7FFF0000  # seccomp(2)
REFUSE = 0x00050000
NOT_EQUAL, EQUAL, GREATER, MASKED_EQUAL = 1, 4, 6, 7  # enum scmp_compare

AF_UNIX, AF_NETLINK, NETLINK_ROUTE = 1, 16, 0

NEW_NAMESPACES = 0x7E020000  # the flags of clone(2) that make a namespace

# No queue or memory that is found by a key or name, and no way into another process. io_uring
# makes sockets and files without the calls that are filtered.
REFUSED = (
    *("shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl"),
    *("msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("unshare", "setns", "mount", "umount2", "pivot_root", "chroot"),
    *("add_key", "request_key", "keyctl", "bpf", "perf_event_open", "userfaultfd"),
    *("open_by_handle_at", "name_to_handle_at"),
)


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("datum", ctypes.c_uint64),
        ("other", ctypes.c_uint64),
    )


def confine() -> None:
    """Confine this process and all that it starts. Raises CannotConfine."""
    if ctypes.CDLL(None).prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise CannotConfine("prctl(PR_SET_NO_NEW_PRIVS) failed")
    if landlock_version() >= SCOPES_SINCE:
        close_scopes()
    _filter_system_calls()


def _filter_system_calls() -> None:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        raise CannotConfine("libseccomp.so.2 is missing (Debian's package libseccomp2)") from error
    library.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ALLOW)))
    if not rules.value:
        raise CannotConfine("seccomp_init failed")

    def refuse(call: str, number: int, *comparisons: _Comparison) -> None:
        found = library.seccomp_syscall_resolve_name(call.encode())
        if found == -1:
            return  # a call that this kernel's headers do not know yet
        array = (_Comparison * len(comparisons))(*comparisons)
        action, count = ctypes.c_uint32(REFUSE | number), ctypes.c_uint(len(comparisons))
        if library.seccomp_rule_add_array(rules, action, found, count, array) != 0:
            raise CannotConfine(f"no rule can be made for {call}")

    for call in REFUSED:
        refuse(call, errno.EPERM)
    # The loopback interface is shared by all executions, so there are only unix sockets, and those
    # in which the C library asks for interfaces: ZeroMQ aborts where it gets no answer.
    for family in range(AF_NETLINK):
        if family != AF_UNIX:
            refuse("socket", errno.EAFNOSUPPORT, _Comparison(0, EQUAL, family, 0))
    refuse("socket", errno.EAFNOSUPPORT, _Comparison(0, GREATER, AF_NETLINK, 0))
    routes = (_Comparison(0, EQUAL, AF_NETLINK, 0), _Comparison(2, NOT_EQUAL, NETLINK_ROUTE, 0))
    refuse("socket", errno.EAFNOSUPPORT, *routes)
    for bit in range(32):
        if NEW_NAMESPACES >> bit & 1:
            refuse("clone", errno.EPERM, _Comparison(0, MASKED_EQUAL, 1 << bit, 1 << bit))
    # Its flags lie in memory, where a filter cannot look: the C library then takes `clone`.
    refuse("clone3", errno.ENOSYS)
    if library.seccomp_load(rules) != 0:
        raise CannotConfine("seccomp_load failed")
    library.seccomp_release(rules)
