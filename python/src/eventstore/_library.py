"""Finds and loads libeventstore, and refuses one that it cannot talk to.

Looked for, in this order: the file that EVENTSTORE_LIBRARY names, a file bundled with the package,
`lib` (Windows: `bin`) of the prefix that the package was installed under,
then wherever the system looks for libraries. The first candidate that exists decides: a library
of another interface version is an error, never a reason to take another one silently.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from pathlib import Path
from typing import List, Tuple

ABI_MAJOR = 0
ABI_MINOR = 1

if sys.platform == "darwin":
    _FILE_NAMES: Tuple[str, ...] = ("libeventstore.0.dylib", "libeventstore.dylib")
elif sys.platform == "win32":
    _FILE_NAMES = ("eventstore-0.dll",)
else:
    _FILE_NAMES = ("libeventstore.so.0", "libeventstore.so")


def _candidates() -> List[str]:
    """Files that could be the library, best first, whether they exist or not."""
    package = Path(__file__).resolve().parent
    folders = [package]
    # PREFIX/share/eventstore/python/eventstore: the tree that the project's own installer makes.
    if package.parts[-4:-1] == ("share", "eventstore", "python"):
        prefix = package.parents[3]
        folders += [prefix / "lib", prefix / "lib64", prefix / "bin"]
    return [str(folder / name) for folder in folders for name in _FILE_NAMES]


def load() -> ctypes.CDLL:
    """The library, checked to speak this package's interface version.

    Raises:
        ImportError: none was found, it cannot be loaded, or it is of another version.
    """
    named = os.environ.get("EVENTSTORE_LIBRARY")
    if named:
        return _checked(_opened(named, "EVENTSTORE_LIBRARY"), named)
    candidates = _candidates()
    for path in candidates:
        if os.path.exists(path):
            return _checked(_opened(path, "found"), path)
    by_system = [name for name in [*_FILE_NAMES, ctypes.util.find_library("eventstore")] if name]
    for name in by_system:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        return _checked(library, name)
    looked = "\n  ".join([*candidates, *(f"{name} (by the system's loader)" for name in by_system)])
    raise ImportError(
        "libeventstore was not found: EVENTSTORE_LIBRARY is not set, and none of these is there:\n"
        f"  {looked}\n"
        "install the library, or set EVENTSTORE_LIBRARY to its path"
    )


def _opened(path: str, why: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(path)
    except OSError as error:
        message = f"libeventstore could not be loaded from {path} ({why}): {error}"
        raise ImportError(message) from None


def _checked(library: ctypes.CDLL, path: str) -> ctypes.CDLL:
    """The handshake: same major version, and a minor that has all that this package calls."""
    try:
        library.es_abi_version.restype = ctypes.c_uint32
        library.es_abi_version.argtypes = []
        version = int(library.es_abi_version())
    except AttributeError:
        raise ImportError(f"{path} is no libeventstore: it has no es_abi_version") from None
    major, minor = version >> 16, version & 0xFFFF
    if major != ABI_MAJOR or minor < ABI_MINOR:
        raise ImportError(
            f"{path} has interface version {major}.{minor}, this package needs "
            f"{ABI_MAJOR}.{ABI_MINOR} or a later {ABI_MAJOR}.x: install matching versions"
        )
    return library
