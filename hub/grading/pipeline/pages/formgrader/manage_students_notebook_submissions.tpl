{% extends "nbgrader/manage_students_notebook_submissions.tpl" %}
{% block head %}
{{ super() }}
<script>
  // nbgrader appends the name of a notebook that is missing as HTML.
  (function (view) {
    const clear = view.prototype.clear;
    view.prototype.clear = function () {
      clear.call(this);
      this.$name.append = part =>
        $.fn.append.call(this.$name, typeof part === "string" ? document.createTextNode(part) : part);
    };
  })(StudentSubmittedNotebookUI);
</script>
{% endblock %}
