"""Records the corpus of test/conformance from the PyTorch that runs this; see docs/conformance.md.

python test/conformance/record/record.py [folder]
"""

import contextlib
import gzip
import json
import pathlib
import sys
import warnings
from collections import defaultdict

import torch

from collect import Collector
from finish import finish, operator_of, variants
from left_out import reason_to_leave_out
from sources import run_all

CALLS = 6  # of one overload
LARGEST_RECORD = 16_000  # characters
LARGEST_FILE = 1_500_000  # bytes, compressed


def main(folder):
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    collector = Collector()
    run_all(collector)
    print(f"{len(collector.calls)} overloads seen", flush=True)
    records, dropped = complete_all(collector)
    for reason, names in dropped.items():
        collector.left_out[reason] |= names
    write(folder, records, collector.left_out)


def complete_all(collector):
    records, dropped = {}, defaultdict(set)
    for name in sorted(collector.calls):
        for call in collector.chosen(name, CALLS):
            keep(records, dropped, call)
    for first in [calls[0] for calls in list(records.values())]:
        # Not every overload takes what its relative does.
        with contextlib.suppress(ValueError):
            for call in variants(first):
                if call["operator"] not in records and not reason_to_leave_out(operator_of(call["operator"])):
                    keep(records, dropped, call)
    return records, dropped


def keep(records, dropped, call):
    name = call["operator"]
    try:
        record, again = finish(call), finish(call)
    except Exception:
        dropped["its recorded call cannot be repeated by itself"].add(name)
        return
    if record != again:
        dropped["two runs in PyTorch give different results"].add(name)
    elif len(json.dumps(record)) <= LARGEST_RECORD:
        records.setdefault(name, []).append(record)
    else:
        dropped["its calls are too large"].add(name)


def write(folder, records, left_out):
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jsonl.gz"):
        old.unlink()
    lines = [json.dumps(record, separators=(",", ":")) for name in sorted(records) for record in records[name]]
    for number, part in enumerate(parts_of(lines)):
        content = gzip.compress("\n".join(part).encode() + b"\n", mtime=0)
        (folder / f"calls-{number:02}.jsonl.gz").write_bytes(content)
    manifest = {
        "format": 1,
        "source": f"PyTorch {torch.__version__}",
        "operators": len({name.split(".")[0] for name in records}),
        "overloads": len(records),
        "calls": len(lines),
        "leftOut": {reason: sorted(set(names) - set(records)) for reason, names in sorted(left_out.items())},
    }
    manifest["leftOut"] = {reason: names for reason, names in manifest["leftOut"].items() if names}
    (folder / "corpus.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print({key: value for key, value in manifest.items() if key != "leftOut"})


def parts_of(lines):
    """Runs of lines, each of which stays below the largest file."""
    part, size = [], 0
    for line in lines:
        # Base64 of random floats shrinks to three quarters; one line by itself a little less.
        compressed = len(gzip.compress(line.encode()))
        if part and size + compressed > LARGEST_FILE:
            yield part
            part, size = [], 0
        part.append(line)
        size += compressed
    yield part


if __name__ == "__main__":
    default = pathlib.Path(__file__).parent.parent / "corpus"
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default)
