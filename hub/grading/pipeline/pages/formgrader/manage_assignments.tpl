{% extends "nbgrader/manage_assignments.tpl" %}
{% block head %}
{{ super() }}
{% include "dialogs.tpl" %}
{% include "rows.tpl" %}
<script>
  drawRowsAgain(AssignmentUI);

  // Dates are entered in the course's time zone, as they are in course.yaml: nbgrader asks for an
  // offset from UTC, which in half of a year's dates is not that of today.
  function inCoursesZone(dialog) {
    dialog.find("input.timezone, input.modal-timezone").val("").closest("tr").hide();
    dialog.find("input.duedate, input.modal-duedate").closest("tr").find("td").first()
      .text("Due date (optional), in " + {{ zone | tojson }});
  }
  const openRow = AssignmentUI.prototype.openModal;
  AssignmentUI.prototype.openModal = function () {
    openRow.apply(this, arguments);
    inCoursesZone(this.$modal);
  };
  const openNew = createAssignmentModal;
  createAssignmentModal = function () {
    openNew.apply(this, arguments);
    inCoursesZone($("#add-assignment-modal"));
  };

  // nbgrader's dialog waits for ever if what it saves is refused.
  const initializeRow = AssignmentUI.prototype.initialize;
  AssignmentUI.prototype.initialize = function () {
    initializeRow.apply(this, arguments);
    this.listenTo(this.model, "error", (model, xhr) => {
      const message = xhr.responseJSON && xhr.responseJSON.message;
      if (!this.$modal || !message) return;
      this.closeModal();
      createModal("error-modal", "Error", $("<p/>").text(message));
    });
  };

  // nbgrader's dialog takes any name without a "+" and shows no answer of the server.
  const assignmentName = new RegExp("^(?:" + {{ assignment_name | tojson }} + ")$");

  document.addEventListener("click", function (event) {
    const dialog = event.target.closest("#add-assignment-modal");
    if (!dialog || !event.target.closest(".save")) return;
    const name = dialog.querySelector("input.name").value.trim();
    if (!name || assignmentName.test(name)) return;
    event.stopPropagation();
    const text = "'" + name + "' cannot be the name of an assignment: use " + {{ assignment_name_rule | tojson }} + ".";
    $("#create-error").text(text).show();
  }, true);

  $(function () {
    $.getJSON(base_url + "/formgrader/api/course-warning", function (answer) {
      if (!answer.message) return;
      showCode($("#course-warning").text(answer.message));
      $("#course-warning").show();
    });
  });
</script>
{% endblock %}
{% block messages %}
<div class="alert alert-warning" id="course-warning" style="display: none; white-space: pre-line"></div>
{{ super() }}
{% endblock %}
