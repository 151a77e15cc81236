"""What is done around runs: listing, recovering, verifying, salvaging, retaining."""

import shutil
import time

import pytest
from conftest import shared_path

import eventstore
from eventstore import Draft, FindingKind, Keep, Outcome, RunStatus, client_order_id


def left(open_run, base, run_id, **options):
    """A run that a failed program left."""
    run = open_run(run_id, **options)
    run.append_many([Draft("t", "p", b"x", [client_order_id("O-1")])] * 3)
    run.detach()
    deadline = time.monotonic() + 10
    while Outcome.HELD in [row.outcome for row in eventstore.list_runs(base, "engine")]:
        assert time.monotonic() < deadline, "a detached run is held for ever"
        time.sleep(0.01)


def test_listing(open_run, tmp_path):
    with open_run("a", start_ts_init=10) as run:
        run.append("t", "p", b"x", ts_init=77)
    with open_run("b", start_ts_init=20, parent_run_id="a"):
        pass
    held = open_run("c", start_ts_init=30)
    a, b, c = eventstore.list_runs(tmp_path, "engine")
    assert (a.run_id, a.outcome, a.status) == ("a", Outcome.LISTED, RunStatus.ENDED)
    assert (a.high_watermark, a.start_ts_init, a.end_ts_init) == (2, 10, 77)
    assert a.backend is eventstore.Backend.REDB and not a.needs_repair
    assert a.bytes == (tmp_path / "engine" / "a.redb").stat().st_size
    assert a.path == str(tmp_path / "engine" / "a.redb")
    assert (a.parent_run_id, b.parent_run_id) == (None, "a")
    assert (c.run_id, c.outcome, c.status) == ("c", Outcome.HELD, None)
    held.close()
    with pytest.raises(eventstore.NotFoundError):
        eventstore.list_runs(tmp_path, "nobody")


def test_recovering(open_run, tmp_path):
    left(open_run, tmp_path, "old", start_ts_init=1)
    left(open_run, tmp_path, "new", start_ts_init=2, digest_key=bytes(32))
    dry = eventstore.recover(tmp_path, "engine", dry_run=True)
    assert [row.outcome for row in dry.runs] == [Outcome.SEALED] * 2
    statuses = [row.status for row in eventstore.list_runs(tmp_path, "engine")]
    assert statuses == [RunStatus.RUNNING] * 2
    done = eventstore.recover(tmp_path, "engine", digest_key=bytes(32))
    assert done.parent_run_id == "new"
    assert [row.status for row in done.runs] == [RunStatus.CRASHED_RECOVERED] * 2
    assert eventstore.recover(tmp_path, "engine").runs == ()
    path = tmp_path / "engine" / "new.redb"
    assert eventstore.verify(path).digest is eventstore.DigestCheck.NOT_CHECKED
    assert eventstore.verify(path, digest_key=bytes(32)).digest is eventstore.DigestCheck.MATCHES


def test_verifying(open_run, tmp_path):
    with open_run() as run:
        run.append_many([Draft("t", "p", b"x")] * 9)
    digest, path = run.close_result.digest, run.path
    clean = eventstore.verify(path, expected_digest=digest)
    assert clean and clean.is_clean and clean.findings == ()
    assert (clean.run_id, clean.status) == ("run-1", RunStatus.ENDED)
    assert (clean.high_watermark, clean.entries) == (10, 10)
    other = eventstore.verify(path, expected_digest=bytes(32))
    assert not other
    assert [finding.kind for finding in other.findings] == [FindingKind.DIGEST_MISMATCH]
    assert other.findings[0].text
    for threads in (1, 3):
        assert eventstore.verify(path, expected_digest=digest, threads=threads) == clean
    for threads in (-1, 1025):
        with pytest.raises(ValueError, match="threads"):
            eventstore.verify(path, threads=threads)
    with pytest.raises(eventstore.NotFoundError):
        eventstore.verify(tmp_path / "nothing")
    with pytest.raises(ValueError):
        eventstore.verify(path, expected_digest=b"short")
    open_run("live")
    with pytest.raises(eventstore.StateError):
        eventstore.verify(tmp_path / "engine" / "live.redb")


@pytest.mark.parametrize(
    "name, kinds",
    [
        ("1700000003-badhash1", {FindingKind.HASH_MISMATCH}),
        ("1700000004-gap00001", {FindingKind.GAP}),
        ("1700000005-moved001", {FindingKind.SEQ_MISMATCH}),
        ("1700000006-drift001", {FindingKind.INDEX_DRIFT}),
    ],
)
def test_findings_of_the_golden_runs(name, kinds):
    answer = eventstore.verify(shared_path(f"golden/trader-001/{name}.redb"))
    assert not answer and kinds <= {finding.kind for finding in answer.findings}
    for finding in answer.findings:
        assert finding.text
        is_drift = finding.kind is FindingKind.INDEX_DRIFT
        assert is_drift == (finding.key is not None) == (finding.drift is not eventstore.Drift.NONE)


def test_salvaging(tmp_path):
    name = "1700000003-badhash1"
    old = shutil.copy(shared_path(f"golden/trader-001/{name}.redb"), tmp_path / "old.redb")
    answer = eventstore.salvage(old, tmp_path, "engine", "rescued")
    assert answer.run.run_id == "rescued" and answer.run.outcome is Outcome.SEALED
    assert answer.parent_run_id == name and answer.findings
    with eventstore.open_sealed(tmp_path / "engine" / "rescued.redb") as rescued:
        assert len(rescued) == answer.high_watermark >= answer.entries > 0
        assert rescued.manifest.parent_run_id == name
    with pytest.raises(FileExistsError):
        eventstore.salvage(old, tmp_path, "engine", "rescued")


def test_retention(open_run, tmp_path):
    for number in range(5):
        with open_run(f"run-{number}", start_ts_init=number + 1) as run:
            run.append("t", "p", b"x")
            if number == 3:
                run.record_anchor(1, "blob", "blake3:00")
    plan = eventstore.plan_retention(tmp_path, "engine", Keep.LAST, 1)
    assert [row.run_id for row in plan.to_delete] == ["run-0", "run-1", "run-2"]
    assert {row.run_id for row in plan.kept} == {"run-3", "run-4"}
    assert plan.restore_point == "run-3" and all(row.reason for row in plan.kept)
    with eventstore.open_sealed(tmp_path / "engine" / "run-1.redb"):
        done = eventstore.apply_retention(plan)
    assert done.deleted == 2
    assert {row.run_id: row.outcome for row in done.runs} == {
        "run-0": Outcome.DELETED, "run-1": Outcome.SKIPPED, "run-2": Outcome.DELETED,
    }  # fmt: skip
    assert not (tmp_path / "engine" / "run-0.redb").exists()
    assert (tmp_path / "engine" / "run-1.redb").exists()
    assert eventstore.plan_retention(tmp_path, "engine", Keep.FULL).to_delete == ()


def test_more_rows_than_a_page(open_run, tmp_path):
    folder = tmp_path / "engine"
    with open_run() as run:
        run.append("t", "p", b"x")
    for number in range(600):
        (folder / f"text-{number:03}.redb").write_text("no run")
    rows = eventstore.list_runs(tmp_path, "engine")
    assert len(rows) == 601 and len({row.path for row in rows}) == 601
    assert [row.outcome for row in rows].count(Outcome.UNREADABLE) == 600
