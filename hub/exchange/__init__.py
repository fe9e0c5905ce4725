"""The exchange: releases go out, submissions come in, feedback goes back.

``store`` keeps them (core), ``access`` decides who may do what (core), ``service`` speaks HTTP
as a service of JupyterHub, ``client`` holds nbgrader's exchange classes on top of it.
"""
