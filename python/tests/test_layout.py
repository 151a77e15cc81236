"""The package against the header: sizes, offsets, constants, signatures, statuses.

The header's static asserts are checked by every C and C++ compiler and generated from the
library's own layout; here the same numbers are read from its text, without a compiler.
"""

import ctypes
import os
import re
from pathlib import Path

import pytest
from conftest import REPOSITORY, need

import eventstore
from eventstore import _abi, _drafts, _errors, _operations, _pages, _structs


def header_text():
    named = os.environ.get("EVENTSTORE_HEADER")
    path = Path(named) if named else REPOSITORY / "include" / "eventstore.h"
    return path.read_text()


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def asserted_layout(text):
    """{struct: (size, {field: offset})} of the header's static asserts."""
    sizes = dict(re.findall(r"sizeof\((es_\w+)\) == (\d+)\)", text))
    layout = {name: (int(size), {}) for name, size in sizes.items()}
    for name, field, offset in re.findall(r"offsetof\((es_\w+), (\w+)\) == (\d+)\)", text):
        layout[name][1][field] = int(offset)
    return layout


def struct_class(name):
    return getattr(_structs, "".join(part.capitalize() for part in name.split("_")))


def layout_findings(layout):
    """Every difference between the asserts and the classes."""
    findings = []
    for name, (size, offsets) in layout.items():
        cls = struct_class(name)
        if ctypes.sizeof(cls) != size:
            findings.append(f"{name}: {ctypes.sizeof(cls)} bytes, the header says {size}")
        ours = {field[0].rstrip("_"): getattr(cls, field[0]).offset for field in cls._fields_}
        if ours != offsets:
            findings.append(f"{name}: {sorted(set(ours.items()) ^ set(offsets.items()))}")
    return findings


def test_sizes_and_offsets_are_the_headers():
    layout = asserted_layout(header_text())
    assert len(layout) >= 25
    assert layout_findings(layout) == []
    ours = [name for name in vars(_structs) if name.startswith("Es")]
    assert len(ours) == len(layout), "a struct without asserts, or one that is not declared"


@pytest.mark.parametrize(
    "planted",
    [
        ("sizeof(es_entry) == 152", "sizeof(es_entry) == 160"),
        ("offsetof(es_draft, keys) == 48", "offsetof(es_draft, keys) == 56"),
        ("offsetof(es_error, required) == 56", "offsetof(es_error, needed) == 56"),
    ],
)
def test_an_altered_size_offset_or_name_is_found(planted):
    text = header_text()
    assert planted[0] in text
    assert len(layout_findings(asserted_layout(text.replace(*planted)))) == 1


def test_packed_layouts_are_the_structs():
    assert _pages.ENTRY.size == ctypes.sizeof(_structs.EsEntry)
    assert _drafts._DRAFT.size == ctypes.sizeof(_structs.EsDraft)
    assert _drafts._KEY.size == ctypes.sizeof(_structs.EsIndexKey)


def test_the_numpy_dtype_is_the_struct():
    need("numpy")
    from eventstore._arrays import ENTRY_DTYPE

    entry = _structs.EsEntry
    assert ENTRY_DTYPE.itemsize == ctypes.sizeof(entry)
    fields = {name: (field[1], field[0].itemsize) for name, field in ENTRY_DTYPE.fields.items()}
    expected = {name: (getattr(entry, name).offset, getattr(entry, name).size)
                for name, _ in entry._fields_}  # fmt: skip
    assert fields == expected


def constants():
    found = {}
    for name, value in re.findall(r"#define (ES_\w+) \(?(-?\d+)(?:u|ull)?\)?\n", header_text()):
        found[name] = int(value)
    return found


@pytest.mark.parametrize(
    "prefix, enum",
    [
        ("ES_INDEX_", eventstore.IndexKind),
        ("ES_RUN_", eventstore.RunStatus),
        ("ES_PHASE_", eventstore.Phase),
        ("ES_BACKEND_", eventstore.Backend),
        ("ES_DURABILITY_", eventstore.Durability),
        ("ES_WAIT_", eventstore.WaitPolicy),
        ("ES_OUTCOME_", eventstore.Outcome),
        ("ES_FINDING_", eventstore.FindingKind),
        ("ES_DRIFT_", eventstore.Drift),
        ("ES_DIGEST_", eventstore.DigestCheck),
        ("ES_KEEP_", eventstore.Keep),
    ],
)
def test_enumerations_are_the_headers(prefix, enum):
    there = {name[len(prefix) :]: value for name, value in constants().items()
             if name.startswith(prefix)}  # fmt: skip
    assert {member.name: member.value for member in enum} == {
        name: value for name, value in there.items() if not name.endswith("_MAX")
    }


def test_flags_and_sentinels_are_the_headers():
    there = constants()
    from eventstore import _manifest, _reader, _run

    assert {
        "ES_ABI_VERSION": _abi.ABI_VERSION,
        "ES_POLL": _abi.POLL,
        "ES_OPEN_MANUAL_WRITER": _run._MANUAL_WRITER,
        "ES_OPEN_RUN_STARTED": _run._RUN_STARTED,
        "ES_OPEN_PREFAULT": _run._PREFAULT,
        "ES_OPEN_REQUIRE_UUID_V4": _run._REQUIRE_UUID_V4,
        "ES_OPEN_DIGEST_KEY": _run._DIGEST_KEY,
        "ES_OPEN_LOCK_MEMORY": _run._LOCK_MEMORY,
        "ES_MANIFEST_HAS_SEED": _manifest._HAS_SEED,
        "ES_MANIFEST_HAS_END": _manifest._HAS_END,
        "ES_DRAFT_HAS_CORRELATION_ID": _drafts.HAS_CORRELATION_ID,
        "ES_DRAFT_HAS_CAUSATION_ID": _drafts.HAS_CAUSATION_ID,
        "ES_ENTRY_HAS_CORRELATION_ID": _pages.HAS_CORRELATION_ID,
        "ES_ENTRY_HAS_CAUSATION_ID": _pages.HAS_CAUSATION_ID,
        "ES_ENTRY_KEYS_RECORDED": _pages.KEYS_RECORDED,
        "ES_FORWARD": _pages.FORWARD,
        "ES_BACKWARD": _pages.BACKWARD,
        "ES_READ_CHECK": _reader._READ_CHECK,
        "ES_READ_DIGEST_KEY": _reader._READ_DIGEST_KEY,
        "ES_OPERATION_DRY_RUN": _operations._DRY_RUN,
        "ES_OPERATION_DIGEST_KEY": _operations._DIGEST_KEY,
        "ES_OPERATION_EXPECTED_DIGEST": _operations._EXPECTED_DIGEST,
        "ES_REPORT_HAS_STATUS": _operations._REPORT_HAS_STATUS,
        "ES_REPORT_HAS_HIGH_WATERMARK": _operations._REPORT_HAS_HIGH_WATERMARK,
        "ES_REPORT_CLEAN": _operations._REPORT_CLEAN,
        "ES_ROW_HAS_MANIFEST": _operations._ROW_HAS_MANIFEST,
        "ES_ROW_HAS_END": _operations._ROW_HAS_END,
        "ES_ROW_NEEDS_REPAIR": _operations._ROW_NEEDS_REPAIR,
    } == {name: value for name, value in there.items()
          if re.match(r"ES_(ABI_VERSION$|POLL$|OPEN_|MANIFEST_|DRAFT_HAS|ENTRY_|FORWARD|BACKWARD|"
                      r"READ_|OPERATION_|REPORT_|ROW_)", name)}  # fmt: skip


def test_every_status_has_its_own_class():
    statuses = {name: value for name, value in constants().items() if name.startswith("ES_ERR_")}
    assert len(statuses) >= 30
    bands = {0: "UsageError", 1: "StateError", 2: "DataError", 3: "StorageError", 4: "FatalError"}
    for name, value in statuses.items():
        cls = _errors.error_class(value)
        assert cls.code == value, name
        assert issubclass(cls, getattr(eventstore, bands[-value // 100])), name
        assert cls is getattr(eventstore, cls.__name__)
        assert cls("text").name == name
    assert len({_errors.error_class(value) for value in statuses.values()}) == len(statuses)


def test_a_status_of_a_newer_library_has_the_class_of_its_band():
    assert _errors.error_class(-299) is eventstore.DataError
    assert _errors.error_class(-999) is eventstore.EventStoreError


def declared():
    """{function: (what it returns, [parameter types])} as the header says."""
    text = without_comments(header_text())
    found = {}
    for answer, name, parameters in re.findall(
        r"ES_API\s+(?:ES_MUST_USE\s+)?([\w \*]+?)(es_\w+)\(([^)]*)\)\s*;", text
    ):
        types = [" ".join(re.sub(r"\w+$", "", item.strip()).split())
                 for item in parameters.split(",") if item.strip() != "void"]  # fmt: skip
        found[name] = (" ".join(answer.split()), types)
    return found


_PLAIN = {
    "es_status": ctypes.c_int32, "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64, "size_t": ctypes.c_size_t, "const char *": ctypes.c_char_p,
    "void": None, "uint64_t *": ctypes.POINTER(ctypes.c_uint64),
    "size_t *": ctypes.POINTER(ctypes.c_size_t), "int32_t *": ctypes.POINTER(ctypes.c_int32),
    "uint32_t *": ctypes.POINTER(ctypes.c_uint32), "uint8_t *": ctypes.POINTER(ctypes.c_uint8),
    "char *": ctypes.c_void_p, "void *": ctypes.c_void_p,
    "const void *": ctypes.c_void_p,
}  # fmt: skip


def is_declared_as(c_type, ours):
    if c_type in _PLAIN:
        return ours is _PLAIN[c_type]
    if re.fullmatch(r"struct es_(run|reader|report) \*\*", c_type):
        return ours is ctypes.POINTER(ctypes.c_void_p)
    if re.fullmatch(r"struct es_(run|reader|report) \*", c_type):
        return ours is ctypes.c_void_p
    name = re.fullmatch(r"(?:const )?struct (es_\w+) \*", c_type).group(1)
    # Arrays of rows are passed as addresses.
    return ours in (ctypes.POINTER(struct_class(name)), ctypes.c_void_p)


def test_declarations_are_the_headers():
    functions = declared()
    assert len(functions) > 50
    for name, (answer, *parameters) in _abi.PROTOTYPES.items():
        c_answer, c_parameters = functions[name]
        assert is_declared_as(c_answer, answer), name
        assert len(parameters) == len(c_parameters), name
        for at, (c_type, ours) in enumerate(zip(c_parameters, parameters)):
            assert is_declared_as(c_type, ours), f"{name}: parameter {at} is {c_type}"


def test_nothing_that_the_header_has_is_left_out():
    # Structs carry their size in Python, and what waits without a timeout is made of what has one.
    left_out = {name for name in declared() if name not in _abi.PROTOTYPES}
    assert {name for name in left_out if not name.startswith("es_init_")} == {
        "es_flush", "es_append_batch",
    }  # fmt: skip


def test_the_sources_are_python_3_9():
    import ast

    for path in Path(eventstore.__file__).parent.glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 9))
