"""The exchange: hands out releases, takes in submissions, returns feedback.

``store`` keeps them (core), ``access`` decides who may do what (core), ``service`` serves HTTP
as a Hub service, ``client`` has nbgrader's exchange classes on top of it.
"""
