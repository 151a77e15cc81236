"""Reading: a run behaves as the sequence of its entries, and never hides a damaged one."""

import pytest
from conftest import shared_path, until_free

import eventstore
from eventstore import Draft, IndexKind, client_order_id, venue_order_id

COUNT = 3000


def drafts():
    for at in range(COUNT):
        keys = [client_order_id(f"O-{at // 3:05}")] if at % 3 < 2 else []
        keys += [venue_order_id(f"V-{at:05}")] if at % 10 == 0 else []
        yield Draft("even" if at % 2 == 0 else "odd", "Number", str(at), keys, ts_init=1000 + at)


@pytest.fixture
def run(open_run, backend):
    run = open_run(backend=backend)
    run.append_many(drafts())
    return run


@pytest.fixture
def reader(run):
    with run.reader() as reader:
        yield reader


def payloads(entries):
    return [int(entry.payload) for entry in entries]


def test_a_run_is_the_sequence_of_its_entries(reader):
    everything = list(range(COUNT))
    assert len(reader) == COUNT == reader.high_watermark
    assert payloads(reader) == everything
    assert payloads(reversed(reader)) == everything[::-1]
    for at in (0, 1, 10, COUNT - 1, -1, -COUNT):
        assert int(reader[at].payload) == everything[at]
    for at in (COUNT, -COUNT - 1, 10**30):
        with pytest.raises(IndexError):
            reader[at]
    assert reader[5] in reader and reader.index(reader[5]) == 5


@pytest.mark.parametrize(
    "cut",
    [
        slice(10, 20), slice(None), slice(-5, None), slice(None, None, -1), slice(20, 10),
        slice(20, 10, -1), slice(2990, 5000), slice(0, 100, 7), slice(-1, -100, -9), slice(0, 0),
    ],
)  # fmt: skip
def test_slices_are_those_of_a_list(reader, cut):
    everything = list(range(COUNT))
    view = reader[cut]
    assert len(view) == len(everything[cut])
    assert payloads(view) == everything[cut]
    assert payloads(reversed(view)) == everything[cut][::-1]
    assert payloads(view[1:-1]) == everything[cut][1:-1]
    if len(view):
        assert int(view[-1].payload) == everything[cut][-1]
    with pytest.raises(IndexError):
        view[len(view)]


def test_by_sequence_number(reader):
    assert reader.entry(1).seq == 1
    for seq in (0, COUNT + 1):
        with pytest.raises(eventstore.NotFoundError):
            reader.entry(seq)
    with pytest.raises(ValueError):
        reader.entry(-1)
    assert [entry.seq for entry in reader.scan(5, 8)] == [5, 6, 7, 8]
    assert [entry.seq for entry in reader.scan(5, 8, backward=True)] == [8, 7, 6, 5]
    assert [entry.seq for entry in reader.scan(COUNT)] == [COUNT]
    assert list(reader.scan(COUNT + 1)) == list(reader.scan(8, 5)) == []


def test_finding(reader):
    assert reader.lookup("O-00007") == 22
    assert reader.lookup("V-00010", IndexKind.VENUE_ORDER_ID) == 11
    assert reader.lookup("V-00010") is None
    assert reader.find_client_order("O-00000").seq == 1
    assert reader.find_venue_order("V-00020").seq == 21
    assert reader.find_client_order("nobody") is reader.find_venue_order("nobody") is None
    assert reader.first_seq_at(0) == 1
    assert reader.first_seq_at(1500) == 501
    assert reader.first_seq_at(10**6) is None


def test_an_index_is_read_whole(reader):
    rows = list(reader.index_rows())
    assert rows == [(f"O-{order:05}", 3 * order + 1) for order in range(COUNT // 3)]
    assert [row.key for row in reader.index_rows(after="O-00997")] == ["O-00998", "O-00999"]
    assert len(list(reader.index_rows(IndexKind.VENUE_ORDER_ID))) == COUNT // 10


def test_large_entries_among_small_ones(open_run, backend):
    run = open_run(backend=backend)
    sizes = [0, 3, 5 << 20, 1, 2 << 20, 70_000]
    for size in sizes:
        run.submit("t" * 1024, "p", b"x" * size, keys=[client_order_id("k" * 512)] * 1)
    run.flush()
    with run.reader() as reader:
        assert [len(entry.payload) for entry in reader] == sizes
        assert [len(entry.payload) for entry in reversed(reader)] == sizes[::-1]
        assert [len(reader[at].payload) for at in range(len(sizes))] == sizes


def test_a_live_reader_follows(open_run, backend):
    run = open_run(backend=backend)
    with run.reader() as reader:
        assert len(reader) == 0 and list(reader) == [] and reader[:] is not None
        with pytest.raises(IndexError):
            reader[-1]
        run.append("t", "p", b"1")
        assert len(reader) == 1 and reader[-1].payload == b"1"
        assert reader.digest is None
        run.close()
        run.detach()
        assert len(reader) == 2 and reader.digest is not None


def test_a_closed_reader_says_so(reader):
    scan = iter(reader)
    next(scan)
    reader.close()
    assert repr(reader) == "<Reader: closed>"
    for call in (lambda: len(reader), lambda: reader[0], lambda: reader.manifest,
                 lambda: reader.path, lambda: reader.lookup("x"), lambda: list(scan)):  # fmt: skip
        with pytest.raises(eventstore.BadHandleError, match="closed"):
            call()


def test_paths(open_run, tmp_path):
    run = open_run()
    run.close()
    expected = str(tmp_path / "engine" / "run-1.redb")
    with eventstore.open_sealed(tmp_path / "engine" / "run-1.redb", check=True) as sealed:
        assert sealed.path == run.path == expected
        assert expected in repr(sealed)
    with pytest.raises(LookupError):
        eventstore.open_sealed(tmp_path / "nothing.redb")
    (tmp_path / "text.redb").write_text("no run")
    with pytest.raises(eventstore.CorruptedError):
        eventstore.open_sealed(tmp_path / "text.redb")


def test_a_crashed_run(open_run, tmp_path):
    run = open_run()
    run.append("t", "p", b"kept")
    with pytest.raises(eventstore.LockedError):
        eventstore.open_crashed(tmp_path, "engine", "run-1")
    run.detach()
    with until_free(lambda: eventstore.open_crashed(tmp_path, "engine", "run-1")) as crashed:
        assert crashed.manifest.status is eventstore.RunStatus.RUNNING
        assert crashed[0].payload == b"kept"
        result = crashed.seal()
        assert result.sealed and result.status is eventstore.RunStatus.CRASHED_RECOVERED
        with pytest.raises(eventstore.ClosedError):
            crashed.seal()
    with eventstore.open_sealed(tmp_path / "engine" / "run-1.redb") as sealed:
        assert sealed.digest.value == result.digest


@pytest.fixture
def damaged(open_run, tmp_path):
    """A sealed run of 100 entries, one byte of entries 40 and 41 altered in the file."""
    with open_run() as run:
        run.append_many([Draft("t", "p", f"needle-{at:03}-needle") for at in range(1, 101)])
    path = tmp_path / "engine" / "run-1.redb"
    data = bytearray(path.read_bytes())
    for seq in (40, 41):
        text = b"needle-%03d-needle" % seq
        assert data.count(text) >= 1
        while text in data:
            data[data.index(text)] ^= 1
    path.write_bytes(data)
    return path


def test_a_damaged_entry_is_an_error_behind_what_is_whole(damaged):
    with eventstore.open_sealed(damaged) as reader:
        seen = []
        with pytest.raises(eventstore.HashMismatchError) as caught:
            for entry in reader:
                seen.append(entry.seq)
        assert seen == list(range(1, 40)) and caught.value.seq == 40
        with pytest.raises(eventstore.DataError):
            reader[39]
        seen = []
        with pytest.raises(eventstore.HashMismatchError) as caught:
            seen += [entry.seq for entry in reader.scan(backward=True)]
        assert caught.value.seq == 41
        assert reader[41].seq == 42


@pytest.mark.parametrize("backward", [False, True])
def test_damaged_entries_are_skipped_where_that_is_asked_for(damaged, backward):
    errors = []
    with eventstore.open_sealed(damaged) as reader:
        seen = [entry.seq for entry in reader.scan(backward=backward, on_damage=errors.append)]
    expected = [*range(1, 40), *range(42, 102)]
    assert seen == (expected[::-1] if backward else expected)
    assert [error.seq for error in errors] == ([41, 40] if backward else [40, 41])


def test_gaps_and_moved_rows_of_the_golden_runs():
    for name, kind in [
        ("1700000003-badhash1", eventstore.HashMismatchError),
        ("1700000004-gap00001", eventstore.GapError),
        ("1700000005-moved001", eventstore.SeqMismatchError),
    ]:
        errors = []
        with eventstore.open_sealed(shared_path(f"golden/trader-001/{name}.redb")) as reader:
            with pytest.raises(kind):
                list(reader)
            forward = [entry.seq for entry in reader.scan(on_damage=errors.append)]
            count = len(errors)
            backward = [e.seq for e in reader.scan(backward=True, on_damage=errors.append)]
        assert forward == backward[::-1] and forward
        assert {type(error) for error in errors} == {kind} and count < 10
