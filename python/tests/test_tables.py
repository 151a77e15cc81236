"""numpy, Arrow, pandas and polars: every value is the one that an `Entry` has."""

import datetime
import threading
import uuid

import pytest
from conftest import need

import eventstore
from eventstore import Draft, client_order_id, venue_order_id

np = need("numpy")

COUNT = 2000
START = 1_700_000_000_000_000_000


def drafts():
    for at in range(COUNT):
        keys = []
        if at % 2 == 0:
            keys.append(client_order_id(f"O-{at // 4}"))
        if at % 3 == 0:
            keys.append(venue_order_id(f"V-{at}"))
        if at % 5 == 0:
            keys.append(client_order_id("second"))
        yield Draft(
            f"topic.{at % 7}" if at % 11 else "topic.ü", f"Type{at % 3}", bytes([at % 256]) * (at % 50),
            keys, START + at, START + 2 * at,
            uuid.UUID(int=at + 1) if at % 4 == 0 else None, uuid.UUID(int=7) if at % 9 == 0 else None,
        )  # fmt: skip


@pytest.fixture
def reader(open_run, backend):
    run = open_run(backend=backend)
    run.append_many(drafts())
    with run.reader() as reader:
        yield reader


def small_pages(monkeypatch):
    """Many pages, some of them grown for an entry that does not fit."""
    from eventstore import _arrays

    monkeypatch.setattr(_arrays, "_KEPT_ARENA_BYTES", 3000)
    monkeypatch.setattr(_arrays, "_REUSED_ARENA_BYTES", 30)


def test_rows_are_the_entries(reader, monkeypatch):
    for pages in ("one", "many"):
        arrays = reader.to_numpy()
        assert len(arrays) == COUNT and list(arrays) == list(reader)
        assert [arrays[at] for at in (0, 7, -1)] == [reader[at] for at in (0, 7, -1)]
        assert bytes(arrays.payload(-1)) == reader[-1].payload
        assert (arrays["ts_init"] == START + np.arange(COUNT)).all()
        assert arrays.rows["seq"].base is not None, "a column is a view of the rows"
        assert (len(arrays.arenas) == 1) == (pages == "one")
        small_pages(monkeypatch)
    with pytest.raises(IndexError):
        arrays[COUNT]


def many_parts(monkeypatch):
    from eventstore import _arrays

    monkeypatch.setattr(_arrays, "_PARTS_MAX", 3)
    monkeypatch.setattr(_arrays, "_PART_ROWS_MIN", 10)


def test_a_scan_in_parts_is_the_scan_in_one(reader, monkeypatch):
    whole = list(reader.to_numpy())
    small_pages(monkeypatch)
    many_parts(monkeypatch)
    arrays = reader.to_numpy()
    assert list(arrays) == whole and [arrays[at] for at in range(COUNT)] == whole
    assert arrays.starts[-1] == COUNT and (np.diff(arrays.starts) > 0).all()
    assert list(reader.to_numpy(100, 150)) == whole[99:150]
    reader.close()
    with pytest.raises(eventstore.BadHandleError):
        reader.to_numpy()


def test_ctrl_c_ends_a_scan_in_parts(reader, monkeypatch):
    from eventstore import _arrays

    small_pages(monkeypatch)
    many_parts(monkeypatch)
    asked, fillers, next_page = [], set(), _arrays.PageScan.next_page
    may_go_on, has_begun = threading.Semaphore(4), threading.Event()

    def held(scan, *arguments):
        fillers.add(threading.current_thread())
        assert may_go_on.acquire(timeout=20)
        asked.append(1)
        if len(asked) == 4:
            has_begun.set()
        return next_page(scan, *arguments)

    monkeypatch.setattr(_arrays.PageScan, "next_page", held)

    def interrupted(thread, timeout):
        assert has_begun.wait(20)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(threading.Thread, "join", interrupted)
        reader.to_numpy()
    for _ in range(COUNT):
        may_go_on.release()
    for filler in list(fillers):
        filler.join(20)
        assert not filler.is_alive()
    # The page that each part was at, and none after it.
    assert 4 <= len(asked) <= 4 + 3, "the parts go on though nobody waits for them"


def test_pages_are_written_again(reader, tmp_path, backend, monkeypatch):
    small_pages(monkeypatch)
    arrays = reader.to_numpy()
    copy = eventstore.open_run(
        tmp_path, run_id="copy", instance_id="other", backend=backend, halt_after=None
    )
    seqs = [seq for page in arrays.pages() for seq in copy.submit_page(*page, timeout=None)]
    assert seqs == list(range(1, COUNT + 1))
    rows, arena = next(arrays.pages())
    odd = rows[rows["seq"] % 2 == 1]
    odd["ts_publish"] = 7
    assert copy.submit_page(odd, arena, expected_seq=COUNT + 1) == range(COUNT + 1, COUNT + 1 + len(odd))
    assert copy.submit_page(rows[:0], arena) == range(0)
    copy.flush()
    with copy.reader() as copied:
        assert [e.entry_hash for e in copied[:COUNT]] == [e.entry_hash for e in reader]
        assert [e.keys for e in copied[:COUNT]] == [e.keys for e in reader]
        assert [e.payload for e in copied[COUNT:]] == [e.payload for e in reader if e.seq in odd["seq"]]
        assert {e.ts_publish for e in copied[COUNT:]} == {7}
    with pytest.raises(eventstore.InvalidArgumentError) as caught:
        copy.submit_page(rows, bytes(8))
    assert caught.value.item_index == 0
    with pytest.raises(ValueError, match="ENTRY_DTYPE"):
        copy.submit_page(rows["seq"], arena)
    assert copy.close().sealed


def test_ranges_and_slices(reader):
    assert [entry.seq for entry in reader.to_numpy(5, 8)] == [5, 6, 7, 8]
    assert list(reader.to_numpy(COUNT + 1)) == list(reader.to_numpy(9, 3)) == []
    assert list(reader[10:20].to_numpy()) == list(reader[10:20])
    assert len(reader[5:5].to_numpy()) == 0
    with pytest.raises(ValueError, match="step"):
        reader[::2].to_numpy()


def test_columns_only(reader, monkeypatch):
    for _ in range(2):
        slim = reader.to_numpy(columns=["seq", "ts_publish", "entry_hash"])
        assert slim.rows.dtype.names == ("seq", "ts_publish", "entry_hash")
        assert slim["entry_hash"][3].tobytes() == reader[3].entry_hash
        assert (slim["ts_publish"] == START + 2 * np.arange(COUNT)).all() and slim.arenas == []
        small_pages(monkeypatch)
    for call in (lambda: slim[0], lambda: slim.payload(0), lambda: slim.where("topic", "x")):
        with pytest.raises(ValueError, match="left out"):
            call()
    with pytest.raises(ValueError, match="no such column: nonsense"):
        reader.to_numpy(columns=["nonsense"])


def test_masks_and_keys(reader, monkeypatch):
    small_pages(monkeypatch)
    arrays, entries = reader.to_numpy(), list(reader)
    for column, text in [("topic", "topic.ü"), ("payload_type", "Type1"), ("topic", "none")]:
        expected = [getattr(entry, column) == text for entry in entries]
        assert arrays.where(column, text).tolist() == expected
    assert arrays.where("payload", b"").tolist() == [entry.payload == b"" for entry in entries]
    for text, kind in [("O-12", None), ("second", 0), ("second", 1), ("V-9", 1), ("nobody", None)]:
        expected = [
            at for at, entry in enumerate(entries)
            if any(key.text == text and kind in (None, key.kind) for key in entry.keys)
        ]  # fmt: skip
        assert arrays.with_key(text, kind).tolist() == expected
    for column in ("topic", "payload_type"):
        codes, texts = arrays.factorize(column)
        assert [texts[code] for code in codes] == [getattr(entry, column) for entry in entries]
        assert len(set(texts)) == len(texts)
    for call in (lambda: arrays.where("seq", "1"), lambda: arrays.factorize("payload")):
        with pytest.raises(ValueError):
            call()


def first_key(entry, kind):
    return next((key.text for key in entry.keys if key.kind == kind), None)


def check_table(rows, entries, time_of):
    assert len(rows) == len(entries)
    for row, entry in zip(rows, entries):
        assert row["seq"] == entry.seq
        assert time_of(row["ts_init"]) == entry.ts_init
        assert time_of(row["ts_publish"]) == entry.ts_publish
        for name in ("topic", "payload_type", "payload", "entry_hash"):
            assert row[name] == getattr(entry, name)
        assert row["client_order_id"] == first_key(entry, 0)
        assert row["venue_order_id"] == first_key(entry, 1)
        for name in ("correlation_id", "causation_id"):
            expected = getattr(entry, name)
            assert row[name] == (None if expected is None else expected.bytes)


@pytest.mark.parametrize("pages", ["one", "many"])
def test_arrow(reader, monkeypatch, pages):
    pa = need("pyarrow")
    if pages == "many":
        small_pages(monkeypatch)
    table = reader.to_arrow()
    table.validate(full=True)
    assert table.schema.field("topic").type == pa.dictionary(pa.int32(), pa.string())
    assert table.schema.field("ts_init").type == pa.timestamp("ns", "UTC")
    times = {name: table[name].cast(pa.int64()).to_pylist() for name in ("ts_init", "ts_publish")}
    rows = table.drop_columns(list(times)).to_pylist()
    for at, row in enumerate(rows):
        row.update({name: values[at] for name, values in times.items()})
    check_table(rows, list(reader), int)
    assert reader[5:9].to_arrow()["seq"].to_pylist() == [6, 7, 8, 9]
    some = reader.to_arrow(columns=["payload", "seq"])
    assert some.column_names == ["payload", "seq"]
    with pytest.raises(ValueError, match="no such column"):
        reader.to_arrow(columns=["price"])


def test_tables_of_nothing(open_run, backend):
    need("pyarrow")
    run = open_run(backend=backend)
    with run.reader() as reader:
        table = reader.to_arrow()
        assert table.num_rows == 0 and table.schema.field("payload").type == "binary"
        assert len(reader.to_numpy().where("topic", "t")) == 0
        assert len(reader.to_numpy().with_key("t")) == 0


def test_entries_in_any_order_of_the_arena():
    # The library fills an arena in the order of its rows; nothing promises that.
    pa = need("pyarrow")
    from eventstore._tables import _texts

    arena = np.frombuffer(b"cccc-a--bb-", np.uint8)
    start, length = np.array([5, 8, 3, 0, 9]), np.array([1, 2, 0, 4, 0])
    texts = _texts(arena, start, length, pa.string())
    assert texts.to_pylist() == ["a", "bb", "", "cccc", ""]


def test_pandas(reader):
    pandas = need("pandas")
    need("pyarrow")
    frame = reader.to_pandas()
    assert isinstance(frame["topic"].dtype, pandas.CategoricalDtype)
    entries = list(reader)
    assert frame["topic"].tolist() == [entry.topic for entry in entries]
    assert frame["ts_init"].astype("int64").tolist() == [entry.ts_init for entry in entries]
    assert frame["payload"].tolist() == [entry.payload for entry in entries]
    assert frame["client_order_id"].isna().tolist() == [
        first_key(entry, 0) is None for entry in entries
    ]
    assert frame[frame.venue_order_id == "V-9"].seq.tolist() == [10]


def test_polars(reader):
    polars = need("polars")
    need("pyarrow")
    frame = reader.to_polars()
    entries = list(reader)
    times = [polars.col(name).dt.epoch("ns") for name in ("ts_init", "ts_publish")]
    check_table(frame.with_columns(times).to_dicts(), entries, int)
    assert frame["ts_init"].dtype == polars.Datetime("ns", "UTC")


def test_times_that_do_not_fit(open_run, backend):
    need("pyarrow")
    run = open_run(backend=backend)
    run.append("t", "p", b"", ts_init=2**63)
    with run.reader() as reader:
        assert reader.to_numpy()["ts_init"].tolist() == [2**63]
        with pytest.raises(ValueError, match="2262"):
            reader.to_arrow()
        assert reader.to_arrow(columns=["seq"]).num_rows == 1


@pytest.mark.parametrize("parts", [1, 3])
def test_damage_is_told_or_skipped(open_run, tmp_path, monkeypatch, parts):
    if parts > 1:
        many_parts(monkeypatch)
    with open_run() as run:
        run.append_many([Draft("t", "p", f"needle-{at}-needle") for at in range(1, 100)])
    path = tmp_path / "engine" / "run-1.redb"
    data = bytearray(path.read_bytes())
    for needle in (b"needle-40-needle", b"needle-90-needle"):
        while needle in data:
            data[data.index(needle)] ^= 1
    path.write_bytes(data)
    with eventstore.open_sealed(path) as reader:
        for columns in (None, ["seq"]):
            with pytest.raises(eventstore.HashMismatchError) as caught:
                reader.to_numpy(columns=columns)
            assert caught.value.seq == 40
            errors = []
            arrays = reader.to_numpy(columns=columns, on_damage=errors.append)
            assert arrays["seq"].tolist() == [*range(1, 40), *range(41, 90), *range(91, 101)]
            assert [error.seq for error in errors] == [40, 90]
        whole = reader.to_numpy(on_damage=errors.append)
        assert [e.seq for e in whole] == whole["seq"].tolist()


def test_arrays_outlive_their_reader(open_run, backend):
    run = open_run(backend=backend)
    run.append_many(Draft("t", "p", b"%d" % at) for at in range(100))
    with run.reader() as reader:
        arrays = reader.to_numpy()
    run.close()
    run.detach()
    assert [entry.payload for entry in arrays] == [b"%d" % at for at in range(100)]
    assert isinstance(arrays[0].time, datetime.datetime)
