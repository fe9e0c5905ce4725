CREATE ROLE hub LOGIN;

CREATE ROLE exchange LOGIN;

CREATE ROLE grader LOGIN;

CREATE DATABASE jupyterhub OWNER hub;

CREATE DATABASE exchange OWNER exchange;

CREATE DATABASE gradebook OWNER grader;

REVOKE ALL ON DATABASE jupyterhub, exchange, gradebook, postgres, template1 FROM PUBLIC;

