"""Numbers of the operating system's users in the containers; each one's group has the same.

`docker/base/passwd` names them, and compose.yaml gives them to the services.
"""

HUB = 910
EXCHANGE = 911
GRADER = 912
GUARD = 913

STUDENTS = range(20000, 30000)
