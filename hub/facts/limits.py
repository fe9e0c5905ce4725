"""Limits where a course's settings set no others, and the unit they are counted in."""

MIB = 1024 * 1024  # bytes

# Of the exchange: one upload, and what one student keeps in one course.
SUBMISSION_MIB = 50
SUBMISSION_FILE_MIB = 25
SUBMISSION_FILES = 500
SUBMISSIONS_MIB = 500  # of one student together
UPLOADS_AT_ONCE = 2  # unfinished ones of one user

# Of executing one notebook; `hub.grading.sandbox.limits.ExecutionLimits` says what each bounds.
CELL_SECONDS = 60
NOTEBOOK_SECONDS = 600
KERNEL_MIB = 4096
OUTPUT_MIB = 16
NOTEBOOK_FILES_MIB = 1024
PROCESSES = 128

# Of one person's server in containers; the guard accepts these on the smallest host.
SERVER_MIB = 4096
SERVER_CPUS = 2
