"""The roster: a course's students as its office lists them, beside those named in course.yaml."""
