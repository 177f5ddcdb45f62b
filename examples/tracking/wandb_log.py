"""Logs the events on standard input as a run of Weights & Biases."""

import wandb

from events import events, metrics

run = None
for event in events():
    if event["type"] == "start":
        run = wandb.init(name=event["run"], config={**event["config"], "provenance": event["provenance"]})
        run.define_metric("epoch")
        run.define_metric("*", step_metric="epoch")
        run.define_metric("step")
        run.define_metric("step/*", step_metric="step")
    elif run and event["type"] in ("step", "epoch"):
        run.log({event["type"]: event[event["type"]], **metrics(event)})
    elif run and event["type"] == "end":
        run.summary["test/top1"] = event["test"]["top1"]
    elif run and event["type"] == "close":
        run.finish(exit_code=1 if "error" in event else 0)
