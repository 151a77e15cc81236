"""One order's life and the rate of events over time.

    python examples/order_life.py                     captures a small session, then looks at it
    python examples/order_life.py runs/X/run.redb     looks at a sealed run
    options: --order ID   which order; default: the one with the most events
             --picture F  where the picture goes; default: order_life.png

Made to be read from top to bottom, or cell by cell in an editor that knows `# %%`. Needs
`pip install eventstore[all]`.
"""

# %% What is asked for
import argparse
import json
import random
import tempfile

import matplotlib

matplotlib.use("Agg")  # a file, no window

import eventstore
from eventstore import client_order_id, plot, venue_order_id

parser = argparse.ArgumentParser(description="One order's life and the rate of events over time.")
parser.add_argument("run", nargs="?", help="a sealed run; without it a session is captured")
parser.add_argument("--order", help="a client or venue order id")
parser.add_argument("--picture", default="order_life.png")
options = parser.parse_args()


# %% Capture: a session of 800 orders, as an engine would publish it
def capture(base):
    """Trades for an hour of simulated time; gives the path of the sealed run."""
    chance = random.Random(7)
    clock = 1_700_000_000_000_000_000
    happenings = []  # (time, order of events, topic, payload type, payload, keys)

    def publish(at, topic, kind, keys, **fields):
        happenings.append((at, len(happenings), topic, kind, json.dumps(fields), keys))

    for number in range(800):
        # Busy at the open and at the close, quiet at noon.
        at = clock + int(3600e9 * chance.betavariate(0.6, 0.7))
        ours, theirs = f"O-{number:05}", f"V-{number * 7919 % 100_000:05}"
        quantity, price = chance.randrange(1, 20) * 100, 100 + chance.gauss(0, 1)
        key, both = [client_order_id(ours)], [client_order_id(ours), venue_order_id(theirs)]
        publish(at, "exec.command", "SubmitOrder", key, quantity=quantity, price=round(price, 2))
        at += chance.randrange(40_000, 90_000)
        publish(at, "exec.event", "OrderSubmitted", key)
        at += chance.randrange(300_000, 3_000_000)
        publish(at, "exec.event", "OrderAccepted", both, venue_order_id=theirs)
        while quantity and chance.random() < 0.85:
            at += int(chance.expovariate(1 / 20e6))
            filled = min(quantity, chance.randrange(1, 10) * 100)
            quantity -= filled
            publish(at, "exec.event", "OrderFilled", both, filled=filled, left=quantity)
        if quantity:
            at += int(chance.expovariate(1 / 50e6))
            publish(at, "exec.event", "OrderCanceled", both, left=quantity)

    happenings.sort()
    with eventstore.open_run(base, run_id="day-1", instance_id="demo", halt_after=5) as run:
        for at, _, topic, kind, payload, keys in happenings:
            seq = run.submit(topic, kind, payload, keys=keys, ts_init=at, timeout=None)
        run.wait_durable(seq)
    print(f"captured    {run.close_result.high_watermark} entries, sealed, "
          f"digest {run.close_result.digest.hex()[:16]}...")  # fmt: skip
    return run.path


# %% Read: the whole run into arrays, and as a table
with tempfile.TemporaryDirectory() as folder:
    reader = eventstore.open_sealed(options.run or capture(folder))
    with reader:
        arrays = reader.to_numpy()
        manifest = reader.manifest
table = arrays.to_pandas()
print(f"run         {manifest.run_id} of {manifest.instance_id}, {len(arrays)} entries, "
      f"{arrays.nbytes / 1e6:.1f} MB in memory")  # fmt: skip
print(table.groupby("payload_type", observed=True).size().rename("entries").to_string())

# %% Choose: the order with the most events, unless one was named
order = options.order
if order is None:
    columns = [table["client_order_id"], table["venue_order_id"]]
    counts = max((column.value_counts() for column in columns), key=len)
    order = counts.index[0]

# %% Follow: every entry that carries its id
life = [arrays[at] for at in arrays.with_key(order)]
if not life:
    raise SystemExit(f"no entry carries the order id {order!r}")
print(f"\norder       {order}, {len(life)} events")
for entry in life[:40]:
    after_ms = (entry.ts_init - life[0].ts_init) / 1e6
    shown = entry.payload[:60].decode("utf-8", "replace")
    print(f"{entry.seq:>8}  +{after_ms:12.3f} ms  {entry.payload_type:<16} {shown}")
if len(life) > 40:
    print(f"{'...':>8}  and {len(life) - 40} more")

# %% Draw: the rate over time above, the order's life below
figure, (above, below) = plot.plt.subplots(2, 1, figsize=(10, 7), layout="constrained")
plot.rate(arrays, by="payload_type", ax=above)
above.set_title(f"{manifest.run_id}: events a second")
plot.order_life(life[:40], ax=below)
below.set_title(f"the life of order {order}" + (", its first 40 events" if len(life) > 40 else ""))
figure.savefig(options.picture, dpi=110)
print(f"\npicture     {options.picture}")
