{% extends "nbgrader/manage_submissions.tpl" %}
{% block head %}
{{ super() }}
{% include "names.tpl" %}
{% include "dialogs.tpl" %}
{% include "rows.tpl" %}
<script>
  drawRowsAgain(SubmissionUI);
  showNames(SubmissionUI, "$student_name");
</script>
{% include "autograding.tpl" %}
{% endblock %}
{% block messages %}
<div id="autograding"></div>
{% if protection %}
<div class="alert alert-warning">
Every student's server runs under the account that grades. {{ protection }}
No kernel protects {{ never | join(", ") | replace("`", "") }}:
<a href="{{ base_url }}/formgrader/protection" target="_blank">what is protected here, and what is not</a>.
</div>
{% endif %}
{{ super() }}
{% endblock %}
