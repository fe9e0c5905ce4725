"""Names of environment variables that one program sets and another reads.

Their values are read once, where a process starts: into `hub.core.environment.Environment`, or
into a value of the program's own. `tests/test_environment.py` holds hub/ to it.
"""

# A course server: what compose.yaml, `logitlab serve` or a person tells its processes.
COURSE = "LOGITLAB_COURSE"  # the course folder
PEOPLE = "LOGITLAB_PEOPLE"  # folder of the roster; unset: the course's people/
GRADEBOOK = "LOGITLAB_GRADEBOOK"  # SQLAlchemy URL; unset: SQLite in the course folder
HUB_DATABASE = "LOGITLAB_HUB_DATABASE"  # SQLAlchemy URL; unset: SQLite among the server's state
SHAPE = "LOGITLAB_SHAPE"  # "containers"; unset: embedded
URL = "LOGITLAB_URL"  # the address that people open
PORT = "LOGITLAB_PORT"  # the embedded server's, of localhost
PORTS = "LOGITLAB_PORTS"  # those of its processes, from `logitlab serve` to its hub
OAUTH_SECRET = "LOGITLAB_OAUTH_SECRET"
OAUTH_SECRET_FILE = "LOGITLAB_OAUTH_SECRET_FILE"

# Where a process finds the others.
EXCHANGE_URL = "LOGITLAB_EXCHANGE_URL"
EXECUTOR = "LOGITLAB_EXECUTOR"  # the executor's socket; unset: notebooks are run on this machine
HUB_TOKEN = "JUPYTERHUB_API_TOKEN"
HUB_USER = "JUPYTERHUB_USER"
SERVICE_URL = "JUPYTERHUB_SERVICE_URL"  # where a service of the hub's listens

# A deployment in containers, from its .env to the services.
DEPLOYMENT = "LOGITLAB_DEPLOYMENT"  # the deployment's folder on the host
PROJECT = "LOGITLAB_PROJECT"
TAG = "LOGITLAB_TAG"  # of its images
GPUS = "LOGITLAB_GPUS"  # the host's devices
GPU_DRIVER = "LOGITLAB_GPU_DRIVER"
MODELS_MODE = "MODELS_MODE"
STUDENT_INTERNET = "STUDENT_INTERNET"
BRIDGE = "LOGITLAB_BRIDGE"
HUB_IP = "LOGITLAB_HUB_IP"
PROXY_IP = "LOGITLAB_PROXY_IP"
SETTINGS_DIGEST = "LOGITLAB_SETTINGS_DIGEST"

# A person's server and its kernels.
GPU = "LOGITLAB_GPU"  # "UUID: name" of its device, or "cpu: why"; people read it too
GPU_MIB = "LOGITLAB_GPU_MIB"  # memory that it may use of the device, MiB; unset: all of it
EXECUTION = "LOGITLAB_EXECUTION"  # marks the processes of one execution of a notebook
MODELS = "COURSE_MODELS"  # folders of models; `course.models` reads it
DEVICE = "COURSE_DEVICE"  # of torch; `course.models` reads it
