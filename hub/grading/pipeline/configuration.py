"""nbgrader's configuration for grading, from the course's settings or without any."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from traitlets.config import Config

if TYPE_CHECKING:
    from hub.core.settings import Settings

AUTOGRADE = "hub.grading.pipeline.autograde"
FEEDBACK = "hub.grading.pipeline.feedback"


def update_grading(c: Config, settings: Settings) -> None:
    """Set how submissions are executed, scored, penalised, shown and exported.

    Sets only values, and only at nbgrader's own configuration points, so that the formgrader's
    buttons, `nbgrader autograde` and `hub.grading.pipeline.batch` all work the same way.
    """
    _update_autograde(c, settings)
    _update_pages(c)
    c.ExportApp.plugin_class = "hub.grading.pipeline.export.GradesCsv"


def set_steps(c: Config) -> None:
    """Set what Autograde does with a submission; needs no settings."""
    c.Autograde.exporter_class = f"{AUTOGRADE}.SubmissionExporter"
    # Without CheckCellMetadata: all metadata comes from the release.
    c.Autograde.sanitize_preprocessors = [
        "nbgrader.preprocessors.ClearOutput",
        "nbgrader.preprocessors.DeduplicateIds",
        "nbgrader.preprocessors.OverwriteKernelspec",
        "nbgrader.preprocessors.OverwriteCells",
    ]
    c.Autograde.autograde_preprocessors = [
        f"{AUTOGRADE}.ExecuteSubmission",
        f"{AUTOGRADE}.JudgeOutputs",
        "nbgrader.preprocessors.LimitOutput",
        "hub.grading.pipeline.manual.SaveGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
        f"{AUTOGRADE}.AddReport",
    ]


def _update_autograde(c: Config, settings: Settings) -> None:
    grading, late = settings.grading, settings.late
    set_steps(c)
    c.ExecuteSubmission.remarks_on_sources = "hub.authoring.released.not_released"
    c.ExecuteSubmission.tests = grading.tests
    c.ExecuteSubmission.tests_of = {name: settings.tests_of(name) for name in settings.assignments}
    c.ExecuteSubmission.limits = grading.limits
    c.AssignLatePenalties.plugin_class = "hub.grading.pipeline.late.LatePenalty"
    c.LatePenalty.policy = late.policy
    c.LatePenalty.percent_per_day = float(late.percent_per_day)
    c.LatePenalty.timezone = settings.course.timezone


def _update_pages(c: Config) -> None:
    # The formgrader's page of a submission is nbconvert's HTMLExporter plus these.
    c.HTMLExporter.preprocessors = [f"{FEEDBACK}.Sanitise", f"{FEEDBACK}.SafeNames"]
    c.HTMLExporter.filters = {"highlight_code": "hub.grading.pipeline.sanitise.highlighted"}
    c.GenerateFeedback.exporter_class = f"{FEEDBACK}.FeedbackExporter"
    c.GenerateFeedback.preprocessors = [
        # Again, after manual grading.
        f"{FEEDBACK}.LatePenalties",
        f"{FEEDBACK}.Grades",
        f"{FEEDBACK}.HideTests",
        f"{FEEDBACK}.Sanitise",
        f"{FEEDBACK}.Summarise",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    c.FeedbackExporter.preprocessors = []
    c.FeedbackExporter.template_name = "logitlab_feedback"
    c.FeedbackExporter.extra_template_basedirs = [str(Path(__file__).with_name("pages"))]
