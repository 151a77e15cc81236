"""Integers on their way to C, checked: ctypes would keep the low bits of any other.

So -1 would be stored as 18446744073709551615 and 2**64 would ask for "any". Every integer of a
caller passes `in_range` before it is put into a struct or a call.
"""

from __future__ import annotations

from operator import index
from typing import SupportsIndex

U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1


def in_range(name: str, value: SupportsIndex, most: int = U64_MAX, least: int = 0) -> int:
    """The integer, also of one of numpy's; ValueError tells which argument is outside its range."""
    number = index(value)
    if least <= number <= most:
        return number
    raise ValueError(f"{name} is {number}: allowed is an integer from {least} to {most}")
