"""Structures of measurements."""

import pytest

from empirics.record import same_length


def test_lists_differ_in_length():
    same_length(f=[1, 2], g=[3, 4], none=None)
    with pytest.raises(ValueError, match="must have lists of one length, got f 2, g 1"):
        same_length(f=[1, 2], g=[3])
