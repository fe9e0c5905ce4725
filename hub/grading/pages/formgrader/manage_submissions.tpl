{% extends "nbgrader/manage_submissions.tpl" %}
{% block head %}
{{ super() }}
{% include "names.tpl" %}
<style>
.modal-body pre { white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; }
#error-modal .modal-header { background: #f2dede; color: #a94442; }
</style>
<script>showNames(SubmissionUI, "$student_name");</script>
{% endblock %}
{% block messages %}
{% if protection %}
<div class="alert alert-warning">
Every student's server runs under the account that grades. {{ protection }}
</div>
{% endif %}
{{ super() }}
{% endblock %}
