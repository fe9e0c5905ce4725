{% extends "base.tpl" %}
{% block title %}What is protected{% endblock %}
{% block head %}
<style>
#protection { max-width: 60em; }
#protection td, #protection th { padding: 4px 12px 4px 0; vertical-align: top; }
#protection .anchor-link { display: none; }
</style>
{% endblock %}
{% block body %}
<div id="protection">
{{ text }}
<p>This is a section of <code>docs/admin.md</code> in LogitLab's folder.</p>
</div>
{% endblock %}
