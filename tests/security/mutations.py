"""Tokens that are almost genuine: cut, extended, flipped, respelt, put together from several."""

import random
from collections.abc import Iterator

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# What a lax reader takes for nothing, for a dot or for a letter of the alphabet.
_NOISE = (
    "=",
    "==",
    "%",
    "%2e",
    "+",
    "/",
    ".",
    "..",
    "\u200b",
    "\u00a0",
    "\x85",
    "．",
    "а",
    "é",
    "\ufeff",
    "!",
    "'",
    '"',
    "\\",
    "~",
)


def mutate(genuine: list[str], count: int, seed: int = 20_261_121) -> Iterator[str]:
    """So many different tokens, none of which is genuine; the same ones for the same seed.

    Args:
        genuine: tokens of several segments, each joined by a dot, all of one kind.
        count: how many.
        seed: of the random choices.
    """
    choose = random.Random(seed)
    made = set(genuine)
    while count:
        token = choose.choice(genuine)
        mutated = choose.choice(_WAYS)(choose, token, genuine)
        # A space around a token is HTTP's, not the token's.
        if mutated.strip(" \t") not in made:
            made.add(mutated)
            count -= 1
            yield mutated


def _flip_a_bit(choose: random.Random, token: str, _: list[str]) -> str:
    place = choose.randrange(len(token))
    return token[:place] + chr(ord(token[place]) ^ 1 << choose.randrange(7)) + token[place + 1 :]


def _change_a_letter(choose: random.Random, token: str, _: list[str]) -> str:
    parts = token.split(".")
    number = choose.randrange(len(parts))
    place = choose.randrange(len(parts[number]))
    parts[number] = parts[number][:place] + choose.choice(_ALPHABET) + parts[number][place + 1 :]
    return ".".join(parts)


def _cut(choose: random.Random, token: str, _: list[str]) -> str:
    start, end = sorted(choose.sample(range(len(token) + 1), 2))
    return choose.choice((token[:end], token[start:], token[:start] + token[end:], token[start:end]))


def _extend(choose: random.Random, token: str, _: list[str]) -> str:
    more = "".join(choose.choices(_ALPHABET + ".", k=choose.randint(1, 40)))
    return choose.choice((token + more, more + token))


def _insert_noise(choose: random.Random, token: str, _: list[str]) -> str:
    place = choose.choice((0, len(token), choose.randrange(len(token)), token.index("."), token.rindex(".")))
    return token[:place] + choose.choice(_NOISE) + token[place:]


def _arrange_otherwise(choose: random.Random, token: str, genuine: list[str]) -> str:
    """Segments of all tokens in any order and number: one's claims under another's signature among them."""
    parts = [part for other in genuine for part in other.split(".")]
    count = choose.choice((token.count(".") + 1,) * 4 + (1, 2, 4, 5))
    return ".".join(choose.choices(parts, k=count))


def _empty_a_part(choose: random.Random, token: str, _: list[str]) -> str:
    parts = token.split(".")
    parts[choose.randrange(len(parts))] = choose.choice(
        ("", "e30", "bnVsbA", "W10", "A" * choose.randint(1, 3000))
    )
    return ".".join(parts)


def _respell(choose: random.Random, token: str, _: list[str]) -> str:
    """The same bits in another spelling of base64, as far as a lax reader is concerned."""
    parts = token.split(".")
    number = choose.randrange(len(parts))
    part, place = parts[number], choose.randrange(len(parts[number]))
    parts[number] = choose.choice(
        (
            part + "=" * choose.randint(1, 4),
            part[:-1] + _ALPHABET[_ALPHABET.find(part[-1]) ^ choose.randint(1, 3)],
            part[:place] + choose.choice("\n\r \t=") + part[place:],
            part.replace("-", "+").replace("_", "/"),
            part.swapcase(),
            "".join(f"%{ord(letter):02x}" if choose.random() < 0.1 else letter for letter in part),
        )
    )
    return ".".join(parts)


_WAYS = (
    _flip_a_bit,
    _change_a_letter,
    _cut,
    _extend,
    _insert_noise,
    _arrange_otherwise,
    _empty_a_part,
    _respell,
)
