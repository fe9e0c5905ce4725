"""Validate one notebook and print what nbgrader's extension expects, as JSON."""

import json
import sys

from nbgrader.apps import NbGrader

from hub.singleuser.validation.validator import CourseValidator

app = NbGrader()
app.load_config_file()
result = CourseValidator(config=app.config).validate(sys.argv[1])
print(json.dumps({"success": True, "value": result}))
