"""What all peers share: a process that answers each line of JSON with one line of JSON.

{"do": "open", "question": {...}}     {"values": {...}}, or {"unavailable": "why this machine cannot do it"}
{"do": "measure", "question": {...}}  {"value": number}
{"do": "close"}                       {}, and everything that was opened is given up
"""

import gc
import json
import os
import sys
import traceback

import torch

import device


class Unavailable(Exception):
    """This machine cannot do it: a compiler or a package is missing."""


def serve(make):
    """Answers until the input ends. `make(question)` gives an object with `measure()`, a number, and `check()`, the
    numbers to agree on by name."""
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer):
        print(json.dumps(answer), file=answers, flush=True)

    torch.set_num_threads(int(sys.argv[1]))
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    say(
        {
            "python": sys.version.split()[0],
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "device": ", ".join(["cpu", *gpus]),
        }
    )
    opened = {}
    for line in sys.stdin:
        request = json.loads(line)
        question = request.get("question", {})
        key = json.dumps(question, sort_keys=True)
        try:
            if request["do"] == "open":
                say(open_form(make, question, opened, key))
            elif request["do"] == "measure":
                say({"value": opened[key].measure()})
            else:
                opened.clear()
                gc.collect()
                device.release()
                say({})
        except Exception:
            say({"error": traceback.format_exc()[-2000:]})


def open_form(make, question, opened, key):
    try:
        form = make(question)
        values = form.check()
    except Unavailable as problem:
        return {"unavailable": str(problem)}
    except Exception as problem:
        # A compiler that is missing or refuses is this machine's affair, and so is work that cannot be captured.
        if not question.get("compiled") and not device.in_graph(question.get("variant")):
            raise
        return {"unavailable": (str(problem).strip().splitlines() or [type(problem).__name__])[0][:200]}
    opened[key] = form
    return {"values": values}
