"""Order numbers: what customers read to the staff on the telephone.

Sixteen digits: fifteen at random and a check digit by the Luhn formula (ISO/IEC 7812-1), which finds each wrong digit and almost
each swap of neighbours. A number tells nothing about the ones before it or how many there are. Among a hundred million orders the
next number is taken with a chance of 10^8 / (9 · 10^14), about one in nine million; who meets it is asked to try again (503).
"""

import secrets

_FIRST = 10**14


def make_number() -> str:
    """A new number; it does not begin with 0."""
    digits = str(_FIRST + secrets.randbelow(9 * _FIRST))
    return digits + _check_digit(digits)


def is_number(text: str) -> bool:
    """Whether a text can be an order's number."""
    return len(text) == 16 and text.isascii() and text.isdigit() and _check_digit(text[:-1]) == text[-1]


def _check_digit(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        # Every second digit, from the right, counts twice; its own digits are added.
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
