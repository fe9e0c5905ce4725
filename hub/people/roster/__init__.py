"""The roster: a course's students as its office lists them, in addition to those in course.yaml."""
