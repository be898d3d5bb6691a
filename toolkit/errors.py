"""The one kind of error a user can cause: a sentence, not a stack trace."""


class UserError(ValueError):
    """Wrong input. The message is one sentence: what was wrong, what was needed, what came.

    The command line prints it and exits with code 2; in a notebook it is an ordinary exception.
    """


def check_seed(seed: int) -> None:
    """Refuse what no random numbers can be drawn from.

    Raises:
        UserError: the seed is negative.
    """
    if seed < 0:
        raise UserError(f"`seed` must not be negative, got {seed}.")
