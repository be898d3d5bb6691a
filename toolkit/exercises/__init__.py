"""Exercises of the notebooks: checks whose messages teach, and the students' copies."""

from toolkit.exercises.editions import (
    instructor_edition as instructor_edition,
    student_edition as student_edition,
    write_editions as write_editions,
)
from toolkit.exercises.verdict import Verdict as Verdict
