"""The events of a run of srrl, read from standard input: what both trackers need of them."""

import json
import signal
import sys


def events():
    """Yields an event a line. Ctrl-C is for the run, which then ends this program by closing its input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        yield json.loads(line)


def flat(values, prefix=""):
    """{"srrl": {"alpha": 1}} -> {"srrl.alpha": 1}"""
    found = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{name}."))
        else:
            found[prefix + name] = value
    return found


def metrics(event):
    """The numbers of an epoch or a step, by name. JSON has no NaN: such a number is null, and left out."""
    if event["type"] == "step":
        found = {"step/loss": event.get("loss"), "step/images_per_second": event.get("imagesPerSecond")}
    else:
        found = {"train/loss": event["loss"], "train/top1": event.get("trainTop1"), "lr": event["lr"]}
        found["images_per_second"] = event["imagesPerSecond"]
        found.update({f"train/terms/{name}": value for name, value in event["terms"].items()})
        for split in ("validation", "test"):
            found.update({f"{split}/{name}": event.get(split, {}).get(name) for name in ("top1", "top5", "loss")})
    return {name: value for name, value in found.items() if value is not None}
