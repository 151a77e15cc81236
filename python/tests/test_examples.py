"""The README's blocks, the example and the pictures do what they show."""

import os
import re
import subprocess
import sys

import pytest
from conftest import REPOSITORY, need

import eventstore
from eventstore import Draft, client_order_id

PACKAGE = REPOSITORY / "python"


def test_the_readmes_blocks_run(tmp_path, monkeypatch):
    for module in ("pandas", "pyarrow"):
        need(module)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.S)
    assert len(blocks) == 2
    names = {}
    for block in blocks:
        exec(block, names)
    assert names["seq"] == 1 and names["life"].tolist() == [0]
    assert names["frame"].payload.tolist() == [b"buy 1", b""]


def test_the_docstrings_quick_start_runs(tmp_path, monkeypatch, capsys):
    need("pandas")
    need("pyarrow")
    monkeypatch.chdir(tmp_path)
    lines = [line[4:] for line in eventstore.__doc__.splitlines() if line.startswith("    ")
             or not line]  # fmt: skip
    exec("\n".join(lines), {})
    assert capsys.readouterr().out.startswith("1 orders b'buy 1'\n2 run.lifecycle.RunEnded b''")


def example(folder, *words):
    picture = folder / "picture.png"
    answer = subprocess.run(
        [sys.executable, str(PACKAGE / "examples" / "order_life.py"), "--picture", str(picture),
         *words],
        capture_output=True, text=True, env={**os.environ, "MPLCONFIGDIR": str(folder)},
    )  # fmt: skip
    return answer, picture


def test_the_example(tmp_path, open_run):
    for module in ("pandas", "pyarrow", "matplotlib"):
        need(module)
    answer, picture = example(tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "captured    4106 entries, sealed" in answer.stdout
    assert re.search(r"OrderAccepted +800\n", answer.stdout)
    assert "order       O-00000, 10 events" in answer.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    with open_run() as run:
        run.append("t", "Submitted", b"\xff", keys=[client_order_id("mine")])
    answer, _ = example(tmp_path, run.path, "--order", "mine")
    assert answer.returncode == 0 and "order       mine, 1 events" in answer.stdout
    answer, _ = example(tmp_path, run.path, "--order", "yours")
    assert answer.returncode == 1 and "no entry carries the order id 'yours'" in answer.stderr


@pytest.fixture
def plot():
    need("matplotlib").use("Agg")
    from eventstore import plot

    yield plot
    plot.plt.close("all")


def test_the_rate_counts_every_event(plot, open_run, backend):
    run = open_run(backend=backend)
    drafts = [Draft(f"t{at % 9}", "p", b"", ts_init=10**18 + at * 10**7) for at in range(3000)]
    run.append_many(drafts)
    with run.reader() as reader:
        ax = plot.rate(reader, width=0.5)
        heights = ax.lines[0].get_ydata()
        assert len(heights) == 60 and set(heights) == {100.0}
        assert ax.get_xlim() == (0, 30)
        ax = plot.rate(reader.to_numpy(), by="topic")
        assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "others"
        assert "bins of 500 ms" in ax.get_xlabel()
        assert plot.rate(reader[5:6]).get_xlim()[1] > 0
        life = list(reader[:4])
    ax = plot.order_life(life)
    assert ax.lines[1].get_xdata().tolist() == [0, 10, 20, 30]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        f"{seq}: p" for seq in range(1, 5)
    ]


def test_pictures_of_nothing(plot, open_run):
    run = open_run(backend=eventstore.Backend.MEMORY)
    with run.reader() as reader:
        assert plot.rate(reader).get_title() == "no events"
    assert plot.order_life([]).get_title() == "no events"
