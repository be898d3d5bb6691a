"""The one kind of error a user can cause: a sentence, not a stack trace."""


class UserError(ValueError):
    """Wrong input. The message is one sentence: what was wrong, what was needed, what came.

    The command line prints it and exits with code 2; in a notebook it is an ordinary exception.
    """
