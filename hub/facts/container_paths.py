"""Where things are inside the containers: what one program mounts or writes and another opens.

compose.yaml names them once more, as it can import nothing; tests hold it to these.
"""

# In people's servers and the graders'.
HOME = "/home/student"
CONFIG = "/srv/config"  # a folder of JUPYTER_CONFIG_PATH
COURSE = "/srv/course"
PEOPLE = "/srv/people"
DEPLOYMENTS_MODELS = "/srv/models"
DATABASE = "/run/postgresql"  # of PostgreSQL's socket
EXECUTOR = "/run/executor"
EXECUTOR_SOCKET = f"{EXECUTOR}/socket"

# In the guard, which is told the hub's courses by `setup`: their ids, a line each, the first one
# first. The hub has the folder read-only.
GUARD_SOCKET = "/run/guard/docker.sock"
COURSES_FILE = "/run/guard/courses"

FIREWALL_HEARTBEAT = "/run/firewall/ok"
GPU_SLOTS = "/run/gpu/slots.json"
