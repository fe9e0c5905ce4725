{% extends "nbgrader/manage_students.tpl" %}
{% block head %}
{{ super() }}
{% include "names.tpl" %}
<script>showNames(StudentUI, "$name");</script>
{% endblock %}
