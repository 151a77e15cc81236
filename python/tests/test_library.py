"""Finding the library: the order of places, what is said when there is none, the handshake."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import need_tool

import eventstore
from eventstore import _abi

PACKAGE = Path(eventstore.__file__).parent
PROGRAM = "import eventstore; print(eventstore.__file__, eventstore._abi.lib._name)"


def imported(folder, **environment):
    """Imports the package of a folder in a Python of its own."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ("EVENTSTORE_LIBRARY", "PYTHONPATH", "LD_LIBRARY_PATH")}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM], cwd="/", capture_output=True, text=True,
        env={**kept, "PYTHONPATH": str(folder), **environment},
    )  # fmt: skip


@pytest.fixture
def library():
    """The file that this process has loaded."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            path = line.split()[-1]
            if "libeventstore.so" in path:
                return Path(path)
    pytest.fail(f"{_abi.lib._name} is not mapped")


def copied(folder):
    return shutil.copytree(PACKAGE, folder / "eventstore", ignore=shutil.ignore_patterns("*.so*"))


def foreign(folder, version):
    """A library that says it speaks another interface version."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    need_tool(compiler[0])
    path = folder / f"other-{version}.so"
    source = f"unsigned es_abi_version(void) {{ return {version}; }}" if version else "int x;"
    subprocess.run([*compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)],
                   input=source, text=True, check=True)  # fmt: skip
    return path


def test_the_variable_comes_first(tmp_path, library):
    copied(tmp_path)
    shutil.copy(library, tmp_path / "eventstore" / "libeventstore.so.0")
    answer = imported(tmp_path, EVENTSTORE_LIBRARY=str(library))
    assert answer.stdout.split() == [str(tmp_path / "eventstore" / "__init__.py"), str(library)]
    answer = imported(tmp_path, EVENTSTORE_LIBRARY="/no/such/library.so")
    assert answer.returncode == 1
    assert (
        "ImportError: libeventstore could not be loaded from /no/such/library.so" in answer.stderr
    )


def test_then_a_bundled_one(tmp_path, library):
    copied(tmp_path)
    bundled = shutil.copy(library, tmp_path / "eventstore" / "libeventstore.so.0")
    assert imported(tmp_path).stdout.split()[1] == str(bundled)


def test_then_the_prefix_of_the_installer(tmp_path, library):
    folder = tmp_path / "prefix" / "share" / "eventstore" / "python"
    folder.mkdir(parents=True)
    copied(folder)
    (tmp_path / "prefix" / "lib").mkdir()
    installed = shutil.copy(library, tmp_path / "prefix" / "lib" / "libeventstore.so.0")
    assert imported(folder).stdout.split()[1] == str(installed)


def test_then_what_the_system_finds(tmp_path, library):
    copied(tmp_path)
    (tmp_path / "lib").mkdir()
    shutil.copy(library, tmp_path / "lib" / "libeventstore.so.0")
    answer = imported(tmp_path, LD_LIBRARY_PATH=str(tmp_path / "lib"))
    assert answer.stdout.split()[1] == "libeventstore.so.0", answer.stderr


def test_without_one_it_says_where_it_looked(tmp_path):
    copied(tmp_path)
    answer = imported(tmp_path)
    if answer.returncode == 0:
        pytest.skip("the library is installed on this machine")
    assert "ImportError: libeventstore was not found" in answer.stderr
    assert str(tmp_path / "eventstore" / "libeventstore.so.0") in answer.stderr
    assert "libeventstore.so.0 (by the system's loader)" in answer.stderr
    assert "set EVENTSTORE_LIBRARY to its path" in answer.stderr


@pytest.mark.parametrize(
    "version, says",
    [
        (1 << 16 | 1, "has interface version 1.1, this package needs 0.1 or a later 0.x"),
        (1 << 16, "has interface version 1.0"),
        (0, "is no libeventstore: it has no es_abi_version"),
    ],
)
def test_the_handshake(tmp_path, version, says):
    copied(tmp_path)
    answer = imported(tmp_path, EVENTSTORE_LIBRARY=str(foreign(tmp_path, version)))
    assert answer.returncode == 1 and "ImportError: " in answer.stderr and says in answer.stderr


def test_versions():
    assert eventstore.abi_version() >= (0, 1)
    assert eventstore.library_version().count(".") == 2
    assert eventstore.__version__.count(".") == 2


def test_what_is_exported_is_there_and_has_a_docstring():
    for name in eventstore.__all__:
        assert hasattr(eventstore, name)
    for name in eventstore.__all__:
        thing = getattr(eventstore, name)
        if callable(thing):
            assert thing.__doc__, name
            for part, member in vars(thing).items() if isinstance(thing, type) else ():
                if not part.startswith("_") and (callable(member) or isinstance(member, property)):
                    assert member.__doc__, f"{name}.{part}"
