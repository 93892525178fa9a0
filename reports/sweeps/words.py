"""Numbers with their nouns."""

from reports import text


def many(count: int, noun: str) -> str:
    """Return a count with its noun: "1 run", "2,000 runs".

    Parameters
    ----------
    count : int
    noun : str
        In the singular, with a regular plural.
    """
    return f"{text.count(count)} {noun}{'' if count == 1 else 's'}"
