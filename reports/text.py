"""Numbers as text, and text that can be read, one way for the terminal, the claims and the page.

A mean is shown with as many decimals as its spread has; what is missing or not finite is a dash.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import msgspec

_T = TypeVar("_T")

DASH = "—"
_ROUNDING = 1e-11  # of a mean: deviations below are of equal values
_LONG = 1e7  # from which on a spread is printed with powers of ten
_MOST_PLACES = 6  # beyond, an interval is printed with powers of ten
# They change the order or the look of other text; marks within a word (U+200C, U+200D) are left alone.
_BIDI = frozenset(
    chr(code)
    for code in (0x061C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with `digits` significant digits."""
    if value is None or not math.isfinite(value):
        return DASH
    return _minus(f"{value:.{digits}g}")


def count(value: float | None) -> str:
    """Return a number rounded to an integer, thousands separated."""
    if value is None or not math.isfinite(value):
        return DASH
    return _minus(f"{value:,.0f}")


def percent(share: float | None) -> str:
    """Return a share in percent."""
    return f"{number(None if share is None else 100 * share)} %"


def many(number_: int, one: str, more: str | None = None) -> str:
    """Return a count with its words: "1 run", "2,000 runs"; `more` where the plural has no s."""
    return f"{count(number_)} {one if number_ == 1 else f'{one}s' if more is None else more}"


def spread(mean: float | None, sd: float | None) -> str:
    """Return mean ± standard deviation; the deviation has one digit (two below 2), that of rounding none."""
    if mean is None or sd is None or not (math.isfinite(mean) and math.isfinite(sd)):
        return DASH
    if sd <= _ROUNDING * abs(mean):
        return _minus(f"{mean:.6g} ± 0")
    if max(abs(mean), sd) >= _LONG:
        return _minus(f"{mean:.2g} ± {sd:.1g}")
    places = _places(sd)
    return _minus(f"{mean:.{places}f} ± {sd:.{places}f}")


def interval(mean: float | None, low: float | None, high: float | None) -> str:
    """Return a mean with its interval in brackets; half of its length has two digits."""
    if mean is None or low is None or high is None:
        return DASH
    if not all(math.isfinite(value) for value in (mean, low, high)):
        return DASH
    half = (high - low) / 2
    places = max(0, 1 - math.floor(math.log10(half))) if half > 0 else 6
    if half == 0 or places > _MOST_PLACES:
        return _minus(f"{mean:.3g} [{low:.3g}, {high:.3g}]")
    return _minus(f"{mean:.{places}f} [{low:.{places}f}, {high:.{places}f}]")


def _places(size: float) -> int:
    """Decimals that show one digit of `size`, two if the first is a 1."""
    if size <= 0:
        return 6
    exponent = math.floor(math.log10(size))
    two = size / 10.0**exponent < 2
    return max(0, -exponent + (1 if two else 0))


def _minus(text: str) -> str:
    """Typeset leading minus signs, but not those of exponents."""
    text = re.sub(r"-(?=0(\.0*)?(?![\d.]))", "", text)  # −0 is 0
    return re.sub(r"(?<![e\d])-(?=\d)", "−", text)


def of_texts(change: Callable[[str], str], value: _T) -> _T:
    """Return what is nested with each text in it, names of parts included, changed by a function."""
    if isinstance(value, msgspec.Struct):
        return msgspec.convert(of_texts(change, msgspec.to_builtins(value)), type(value))
    nested: Any = value
    if isinstance(value, str):
        nested = change(value)
    elif isinstance(value, (list, tuple)):
        nested = [of_texts(change, item) for item in value]
    elif not isinstance(value, (float, int)) and isinstance(value, Mapping):  # which takes long to ask
        nested = {of_texts(change, key): of_texts(change, item) for key, item in value.items()}
    return cast(_T, nested)


def legible(value: _T) -> _T:
    """Return results with each character that cannot be seen, or reorders others, written as ⟨U+202E⟩.

    Characters of control, of direction and of lines, lone surrogates and noncharacters; tab and line feed
    become spaces.  Names of classes and files may hold them.
    """
    return of_texts(_legible, value)


def _legible(text: str) -> str:
    return text if text.isascii() and text.isprintable() else "".join(map(_legible_character, text))


def _legible_character(character: str) -> str:
    if character in "\t\n":
        return " "
    code = ord(character)
    nothing = 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
    if nothing or character in _BIDI or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
        return f"⟨U+{code:04X}⟩"
    return character
