"""`python -m toolkit.exercises list [NOTEBOOKS]`, `… editions NOTEBOOKS OUT`, or `… pictures
NOTEBOOK …`.
"""

import sys

from toolkit.commands.lab import find_notebooks
from toolkit.errors import UserError
from toolkit.exercises.editions import write_editions
from toolkit.exercises.listing import read_exercises, table


def main(arguments: list[str]) -> int:
    """List the exercises, write the copies of a folder's notebooks, or the pictures of some.

    Raises:
        UserError: other arguments, or what the three of them refuse.
    """
    match arguments:
        case ["list", *folder] if len(folder) < 2:
            print(table(read_exercises(folder[0] if folder else find_notebooks(None))))
            return 0
        case ["editions", source, out]:
            written = write_editions(source, out)
        case ["pictures", first, *rest]:
            from toolkit.exercises.pictures import write_pictures  # loads plotly

            written = [path for name in (first, *rest) for path in write_pictures(name)]
        case _:
            usage = " ".join(str(__doc__).split())
            raise UserError(f"Expected {usage} Got {' '.join(arguments) or 'nothing'}.")
    print("\n".join(map(str, written)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as problem:
        print(f"toolkit: {problem}", file=sys.stderr)
        sys.exit(2)
