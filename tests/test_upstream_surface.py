"""Everything undocumented that we use of nbgrader and JupyterHub, called: an upgrade breaks here
first.

What is called is stated as we rely on it. The last test reads `hub/` and asks whether each private
attribute of somebody else's that stands there is named in this file.
"""

from __future__ import annotations

import ast
import inspect
import re
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ipykernel.kernelbase import Kernel
from ipykernel.zmqshell import ZMQInteractiveShell as Shell
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
from jupyterhub import dbutil, orm, roles
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.user import User
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbgrader.server_extensions.formgrader import apihandlers, handlers
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension
from nbgrader.validator import Validator
from tornado.web import Application

from hub.core.environment import Environment
from hub.singleuser.autograding import Autograde
from hub.singleuser.formgrader import (
    ENVIRONMENT,
    AddAssignment,
    CourseFormgrader,
    Generate,
    SubmittedFile,
)
from hub.singleuser.validation.route import ValidateHandler, add_handlers
from hub.upstream import jupyterhub, nbgrader

HUB = Path(__file__).parents[1] / "hub"


def test_the_versions_are_those_that_the_patches_are_known_to_fit():
    assert version("nbgrader") == nbgrader.FITS
    assert version("jupyterhub").startswith(f"{jupyterhub.FITS}.")


# nbgrader: the formgrader ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def formgrader(tmp_path_factory) -> Application:
    """The web application of a Jupyter server into which our formgrader was put."""
    webapp = Application(base_url="/", xsrf_cookies=True)
    webapp.settings[ENVIRONMENT] = Environment()
    root = str(tmp_path_factory.mktemp("course"))
    extension = CourseFormgrader()
    extension.root_dir = root
    extension.initialize([])
    extension.init_tornado_settings(webapp)
    extension.init_handlers(webapp)
    return webapp


def targets(webapp: Application) -> dict[str, Any]:
    rules = [rule for host in webapp.default_router.rules for rule in host.target.rules]
    return {rule.matcher.regex.pattern: rule.target for rule in rules}


def test_the_formgrader_routes_to_our_handlers_where_it_routed_to_its_own(formgrader):
    found = targets(formgrader)
    ours = {handler: handler.__mro__[1] for handler in (SubmittedFile, Autograde, Generate)}
    ours[AddAssignment] = apihandlers.AssignmentHandler
    routes = [*handlers.default_handlers, *apihandlers.default_handlers]
    stock = {route[1] for route in routes}
    for handler, theirs in ours.items():
        assert handler in found.values() and theirs not in found.values()
        assert theirs in stock


def test_a_handler_that_nbgrader_does_not_have_is_missed(formgrader):
    with pytest.raises(LookupError, match="no AbsentHandler"):
        nbgrader.replace_handler(formgrader, type("AbsentHandler", (), {}), object)


def test_every_page_of_the_formgrader_is_one_that_we_know_how_to_render(formgrader):
    environment = formgrader.settings["nbgrader_jinja2_env"]
    assert environment.autoescape
    theirs = {path.name for path in Path(handlers.template_path).glob("*.tpl")}
    ours = list((HUB / "grading" / "pipeline" / "pages" / "formgrader").glob("*.tpl"))
    extended = {name for page in ours for name in re.findall(r'"nbgrader/(.+?)"', page.read_text())}
    assert extended and extended <= theirs
    for name in [*theirs, *(page.name for page in ours)]:
        environment.get_template(name)


def test_names_that_the_formgrader_puts_into_scripts_are_json(formgrader):
    environment = formgrader.settings["nbgrader_jinja2_env"]
    pages = [path.read_text() for path in Path(handlers.template_path).glob("*.tpl")]
    found = [name for page in pages for name in nbgrader._TheirPages.IN_SCRIPT.findall(page)]
    assert found
    # Nothing else of a page stands in a string of a script.
    for path in Path(handlers.template_path).glob("*.tpl"):
        source, _, _ = nbgrader._TheirPages(handlers.template_path).get_source(
            environment, path.name
        )
        assert '= "{{' not in source


def test_the_gradebook_of_the_pages_is_where_its_transaction_is_ended(formgrader):
    assert "nbgrader_gradebook" in formgrader.settings
    nbgrader.end_transaction(formgrader.settings)
    rolled_back = []
    gradebook = SimpleNamespace(db=SimpleNamespace(rollback=lambda: rolled_back.append(1)))
    nbgrader.end_transaction({"nbgrader_gradebook": gradebook})
    assert rolled_back == [1]
    assert isinstance(inspect.getattr_static(FormgradeExtension, "root_dir"), object)


# nbgrader: Validate ------------------------------------------------------------------------------


def test_our_validation_answers_in_place_of_nbgraders_and_its_other_routes_stay():
    assert [at for at, _ in nbgrader.other_validation_routes()] == ["/nbgrader_version"]
    webapp = Application(base_url="/")
    add_handlers(SimpleNamespace(web_app=webapp, root_dir="/"))
    found = targets(webapp)
    assert found["/assignments/validate$"] is ValidateHandler
    assert "/nbgrader_version$" in found


def test_nbgrader_validate_takes_the_validator_that_its_module_names(monkeypatch, tmp_path):
    from nbgrader.apps import validateapp

    monkeypatch.setattr(validateapp, "Validator", Validator)  # put back afterwards
    validated = []

    class Ours(Validator):
        def validate_and_print(self, filename: str) -> None:
            validated.append(filename)

    nbgrader.name_validator(Ours)
    (tmp_path / "some.ipynb").touch()
    validateapp.ValidateApp(extra_args=[str(tmp_path / "some.ipynb")]).start()
    assert validated == [str(tmp_path / "some.ipynb")]


def test_the_validators_own_rules_say_what_failed_changed_and_passed():
    marks = {"grade": True, "solution": False, "locked": True, "grade_id": "t", "points": 1}
    cell = new_code_cell("assert False", metadata={"nbgrader": marks | {"checksum": "0"}})
    cell.outputs = [new_output("error", ename="AssertionError", evalue="no", traceback=["no"])]
    notebook, validator = new_notebook(cells=[cell]), Validator()
    assert validator._get_failed_cells(notebook) == [cell]
    assert validator._get_changed_cells(notebook) == [cell]
    assert validator._get_passed_cells(notebook) == []
    assert "no" in validator._extract_error(cell)
    assert validator.stream.write


# JupyterHub --------------------------------------------------------------------------------------


@pytest.fixture
def db(tmp_path):
    session = orm.new_session_factory(f"sqlite:///{tmp_path / 'hub.sqlite'}")()
    yield session
    session.close()
    session.get_bind().dispose()


def test_the_tokens_of_servers_are_reported_by_their_note_and_client(db):
    source = inspect.getsource(User)
    assert f'note = f"{jupyterhub._NOTE}{{base_url}}"' in source
    user = orm.User(name="ada")
    db.add(user)
    db.add(orm.OAuthClient(identifier="jupyterhub"))
    db.commit()
    user.new_api_token(note="Server at /user/ada/")
    user.new_api_token(note="mine")
    found = {token.note: jupyterhub.made_for_a_server(token) for token in user.api_tokens}
    assert found == {"Server at /user/ada/": True, "mine": False}


def test_what_a_person_is_logged_in_by_can_be_ended_in_the_database(db):
    user = orm.User(name="ada", cookie_id=orm.new_token())
    db.add(user)
    db.commit()
    assert orm.User.find(db, "ada") is user
    assert list(user.oauth_codes) == [] and user.orm_spawners == {}
    before, user.cookie_id = user.cookie_id, orm.new_token()
    db.commit()
    assert orm.User.find(db, "ada").cookie_id != before
    assert "started" in orm.Spawner.__table__.columns
    assert "last_activity" in orm.User.__table__.columns


def test_a_user_that_is_added_by_hand_has_the_default_role_and_is_counted(db):
    from jupyterhub.metrics import TOTAL_USERS

    for role in roles.get_default_roles():
        roles.create_role(db, role)
    user = orm.User(name="ada")
    db.add(user)
    roles.assign_default_roles(db, entity=user)
    db.commit()
    assert [role.name for role in user.roles] == ["user"]
    before = TOTAL_USERS._value.get()
    jupyterhub.count_new_user()
    assert TOTAL_USERS._value.get() == before + 1


def test_authenticators_hold_the_hubs_database_session():
    from jupyterhub.auth import DummyAuthenticator

    authenticator = DummyAuthenticator(_deprecated_db_session="the session")
    assert jupyterhub.session_of(authenticator) == "the session"


def test_the_address_that_is_logged_is_that_of_the_request():
    from jupyterhub import log

    assert "request.uri" in inspect.getsource(log.log_request)
    request = SimpleNamespace(uri="/set-password?key=secret", path="/set-password")
    jupyterhub.hide_query(SimpleNamespace(request=request))
    assert request.uri == "/set-password"


def test_a_cookie_of_ours_is_set_by_the_hubs__set_cookie():
    set_ = {}

    class Handler(BaseHandler):
        def __init__(self) -> None:
            self.application = SimpleNamespace(settings={"public_url": None})
            self.request = SimpleNamespace(protocol="https")

        log = SimpleNamespace(debug=lambda *_: None)

        def set_cookie(self, name: str, value: str, **options: Any) -> None:
            set_[name] = (value, options)

    jupyterhub.set_session_cookie(Handler(), "__Host-visit-ada", "value")
    value, options = set_["__Host-visit-ada"]
    assert value == "value"
    assert options == {"httponly": True, "secure": True, "path": "/", "samesite": "Lax"}


def test_the_hubs_pages_have_what_ours_use():
    used = ["render_template", "get_session_cookie", "set_session_cookie", "has_scope"]
    used += ["current_user", "authenticator", "hub", "db", "app", "users"]
    assert [name for name in used if not hasattr(BaseHandler, name)] == []


def test_a_running_hubs_users_and_servers_can_be_stopped_and_removed():
    from jupyterhub.proxy import Proxy
    from jupyterhub.spawner import Spawner
    from jupyterhub.user import UserDict

    assert list(inspect.signature(Proxy.delete_user).parameters)[:3] == [
        "self",
        "user",
        "server_name",
    ]
    assert list(inspect.signature(User.stop).parameters)[:2] == ["self", "server_name"]
    assert "self.spawners = " in inspect.getsource(User.__init__)
    for owner, names in (
        (UserDict, ["delete", "__getitem__"]),
        (Spawner, ["active", "pending", "server", "get_args", "get_env", "user_options"]),
    ):
        assert [name for name in names if not hasattr(owner, name)] == []


def test_the_hubs_tables_are_upgraded_by_its_own_steps():
    assert Path(dbutil.ALEMBIC_DIR).is_dir()
    assert list(inspect.signature(dbutil.upgrade).parameters)[:1] == ["db_url"]


# ipykernel and nbconvert ------------------------------------------------------------------------


def test_a_shell_is_made_and_asked_as_a_kernel_does():
    assert [
        name for name in ("should_run_async", "transform_cell") if not hasattr(Shell, name)
    ] == []
    assert "compiler_class" in inspect.getsource(InteractiveShell.init_instance_attrs)
    kernel: Any = SimpleNamespace(_allow_stdin=False)
    for asks in (Kernel.raw_input, Kernel.getpass):
        with pytest.raises(StdinNotImplementedError):
            asks(kernel)


def test_the_feedback_page_is_made_like_nbconverts_before_it_is_parsed_again():
    assert list(inspect.signature(HTMLExporter._init_resources).parameters) == ["self", "resources"]
    made = inspect.getsource(HTMLExporter.from_notebook_node)
    before, parsed = made.split("super().from_notebook_node(nb, resources, **kw)")
    assert "register_filter" in before and "WidgetsDataTypeFilter" in before
    assert "BeautifulSoup" in parsed and "register_filter" not in parsed


# Nothing besides ---------------------------------------------------------------------------------

# Private attributes of others that are used in hub/, and where each is called.
ELSEWHERE = {
    "_check_pending": "tests/docker: a hub that starts before the engine",
    "_log_name": "JupyterHub's own name of a spawner, for a line of the log",
    "_lazy_call": "tests/gpu/test_budget.py",
    "_is_functional_tensor": "tests/isolation/test_values.py",
    "_C": "tests/isolation/test_values.py",
    "_functorch": "tests/isolation/test_values.py",
    "_work_queue": "tests/accounts/test_login.py",
}


def test_no_other_private_attribute_of_somebody_elses_is_used():
    here = Path(__file__).read_text(encoding="utf-8")
    own, used = set(), {}
    for path in HUB.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                own.add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                own.add(node.value)  # of __slots__ and the like
            elif isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                used[node.attr] = path.name
    own |= {"_label", "_live", "_makes_objects", "_readable"}  # of handles, set by their names
    foreign = {name for name in used if not name.startswith("__")} - own
    foreign -= {"_exit", "_replace", "_fields", "_asdict", "_make"}  # Python's documented ones
    assert {name: used[name] for name in foreign if name not in here} == {}
