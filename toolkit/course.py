"""The course: every notebook with what it needs, what it leads to, and how long it takes.

The notebooks' headers, the README's table, the instructors' pages and the map are held against
this one list by the tests. Importing it loads nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.errors import UserError

#: Lanes of the map, from its top.
THEMES = ("prediction", "acting", "symmetry", "data")


@dataclass(frozen=True)
class Chapter:
    """A notebook and its place in the course.

    Units: `minutes` are those of a student, with the exercises and without research; `computing`
        those of two CPU cores.
    """

    name: str
    """The notebook's file, without its ending."""
    title: str
    """A few words, for links and for the map."""
    question: str
    """What the notebook answers."""
    minutes: int
    computing: int
    theme: str
    after: tuple[str, ...]
    """Numbers of the notebooks that this one builds on."""
    knowledge: str
    """What else a student should know."""

    @property
    def number(self) -> str:
        """The two digits that the name begins with."""
        return self.name[:2]

    @property
    def link(self) -> str:
        """A Markdown link for use in another notebook."""
        return f"[{self.number} {self.title}]({self.name}.ipynb)"


COURSE = (
    Chapter(
        "00_start_here", "Start here",
        "How far ahead can a model tell what a robot does, and what do its eigenvalues say?",
        30, 2, "prediction", (), "Python with NumPy, means and deviations",
    ),
    Chapter(
        "01_eigenvalue_initialization", "Eigenvalues",
        "What does one eigenvalue do to a prediction, and does it matter where training starts?",
        45, 1, "prediction", ("00",), "complex exponentials",
    ),
    Chapter(
        "02_where_the_data_comes_from", "Where the data comes from",
        "Who moved the robot, what did they never try, and is the file what it says?",
        45, 1, "data", ("00",), "probability densities",
    ),
    Chapter(
        "03_gradient_scaling", "Gradient scaling",
        "What arrives of a gradient that goes back a hundred steps, and who decides that?",
        45, 3, "prediction", ("01",), "the chain rule, powers and norms of matrices",
    ),
    Chapter(
        "04_long_horizon_prediction", "Long horizons",
        "How far ahead does a model see, and what does a prediction of a hundred steps cost?",
        45, 5, "prediction", ("03",), "what a recurrent network is",
    ),
    Chapter(
        "05_time_reversal_symmetry", "Time reversal",
        "Does the disagreement of a forward and a backward model tell where not to trust it?",
        45, 3, "symmetry", ("02",), "Jacobians, a pendulum's equation of motion",
    ),
    Chapter(
        "06_augmentation_thresholds", "Augmentation",
        "Does a symmetry filter keep the right ones of the samples that nobody recorded?",
        45, 4, "data", ("05",), "quantiles, rank correlation",
    ),
    Chapter(
        "07_offline_rl_from_10k", "Offline RL from 10k",
        "How well can a policy become that has seen 10,000 rows, and how sure can we be of that?",
        45, 6, "data", ("06",), "actors, critics and discounted returns",
    ),
    Chapter(
        "08_symmetries_of_dynamics", "Symmetries of dynamics",
        "If a shift commutes with a learnt law, are the shifted transitions true?",
        45, 4, "symmetry", ("01", "06"), "eigenvectors",
    ),
    Chapter(
        "09_planning_with_koopman", "Planning",
        "How far ahead should one look, how many futures does it take, and when believe them?",
        45, 4, "acting", ("04",), "quadratic costs",
    ),
    Chapter(
        "10_learning_from_pixels", "Learning from pixels",
        "What does an encoder keep that predicts itself, and why does it not drop everything?",
        45, 6, "prediction", ("04",), "what a convolution is, least squares, singular values",
    ),
    Chapter(
        "11_failure_museum", "Failure museum",
        "Nothing crashed, and the run is wrong: which plot tells what was done to it?",
        45, 2, "data", ("05", "10"), "least squares, eigenvalues",
    ),
)  # fmt: skip


def leads_to(chapter: Chapter, course: Sequence[Chapter] = COURSE) -> tuple[Chapter, ...]:
    """The chapters that build on this one."""
    return tuple(other for other in course if chapter.number in other.after)


def column(chapter: Chapter, course: Sequence[Chapter] = COURSE) -> int:
    """How many chapters lie before this one on the longest way to it.

    Raises:
        UserError: it builds on a chapter that does not stand before it.
    """
    before = {other.number: other for other in course[: course.index(chapter)]}
    for number in chapter.after:
        if number not in before:
            raise UserError(f"{chapter.name} must come after {number}, which is not before it.")
    return max((1 + column(before[number], course) for number in chapter.after), default=0)


def header_line(chapter: Chapter, course: Sequence[Chapter] = COURSE) -> str:
    """Prerequisites and what follows, as they stand in the notebook's first cell."""
    needed = [other.link for other in course if other.number in chapter.after]
    needs = "; ".join([*([", ".join(needed)] if needed else []), chapter.knowledge])
    following = ", ".join(other.link for other in leads_to(chapter, course))
    following = following or "your own data, by the commands under *Where next*"
    return f"**Prerequisites:** {needs}. **Leads to:** {following}."
