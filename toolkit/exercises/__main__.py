"""`python -m toolkit.exercises editions NOTEBOOKS OUT`, or `… pictures NOTEBOOK …`."""

import sys

from toolkit.errors import UserError
from toolkit.exercises.editions import write_editions
from toolkit.exercises.pictures import write_pictures


def main(arguments: list[str]) -> int:
    """Write the copies of a folder's notebooks, or the pictures of some; 2 for wrong input."""
    match arguments:
        case ["editions", source, out]:
            written = write_editions(source, out)
        case ["pictures", first, *rest]:
            written = [path for name in (first, *rest) for path in write_pictures(name)]
        case _:
            raise UserError(f"Expected {__doc__} Got {' '.join(arguments) or 'nothing'}.")
    print("\n".join(map(str, written)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as problem:
        print(f"toolkit: {problem}", file=sys.stderr)
        sys.exit(2)
