import click


class InputError(click.ClickException):
    """A user's mistake or a condition a user can mend; shown as one line, exit code 1.

    The message says what was wrong, with which value, where, and the mend.
    """
