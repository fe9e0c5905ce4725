"""Names that the engine knows the containers of a deployment by, and where its database is."""

# Labels of each person's container.
PROJECT_LABEL = "logitlab.project"
USER_LABEL = "logitlab.user"
COURSE_LABEL = "logitlab.course"  # its id; containers of earlier versions have none
GPU_LABEL = "logitlab.gpu"  # a device's UUID
NO_GPU = "cpu"

DATABASE_FOLDER = "/run/postgresql"  # of PostgreSQL's socket


def database_url(name: str) -> str:
    """SQLAlchemy URL of one of the deployment's databases; the socket knows who connects."""
    return f"postgresql+psycopg:///{name}?host={DATABASE_FOLDER}"


GRADEBOOK_URL = database_url("gradebook")


def network(project: str) -> str:
    """The network of students' containers."""
    return f"{project}_students"


def volume(project: str, name: str) -> str:
    return f"{project}_{name}"


def image(name: str, tag: str) -> str:
    return f"logitlab/{name}:{tag}"
