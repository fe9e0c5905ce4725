"""The course's roster of students."""
