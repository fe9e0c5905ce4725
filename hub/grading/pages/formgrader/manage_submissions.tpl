{% extends "nbgrader/manage_submissions.tpl" %}
{% block head %}
{{ super() }}
{% include "names.tpl" %}
<script>showNames(SubmissionUI, "$student_name");</script>
{% endblock %}
