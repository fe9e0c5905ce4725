"""Isolated tests: the student process and the judge process.

The student's cells run in the untrusted student process, the test cells in the judge process, the
given cells in both. The judge process reaches the student's work only by messages that carry plain
data:

    session.py       starts both, sends them the cells, assembles the executed notebook
    modes.py         which of them runs a cell; also for tests in the student's kernel
    manifest.py      derives from the instructor's notebook which names are the student's
    judge.py         the judge process: runs given cells and test cells
    student.py       the student process: runs the student's cells; shell.py is its IPython shell
    conversation.py  the judge process's side of the conversation with the student process
    handles.py       what the judge process holds for a student's object
    services.py      `course.calls` in the judge process
    given_models.py  undoes what tests do to models
    values.py, arrays.py, wire.py, errors.py   what crosses, and how: the same on both sides

The two share no memory, hidden tests never enter the student process, the judge process compiles
no student text and trusts nothing that the student process sends: lengths, sizes, types and the
order of messages are checked.
"""
