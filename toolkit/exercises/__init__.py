"""Exercises of the notebooks: checks whose messages teach, and the students' copies."""

from toolkit.exercises.editions import instructor_edition, student_edition, write_editions
from toolkit.exercises.verdict import Verdict

__all__ = ["Verdict", "instructor_edition", "student_edition", "write_editions"]
