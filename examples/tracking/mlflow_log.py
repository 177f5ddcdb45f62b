"""Logs the events on standard input as a run of MLflow."""

import mlflow

from events import events, flat, metrics

started = False
for event in events():
    if event["type"] == "start":
        mlflow.start_run(run_name=event["run"])
        started = True
        mlflow.log_params({name: str(value)[:500] for name, value in flat(event["config"]).items()})
        mlflow.set_tags({f"srrl.{name}": value for name, value in event["provenance"].items()})
    elif started and event["type"] in ("step", "epoch"):
        mlflow.log_metrics(metrics(event), step=event[event["type"]])
    elif started and event["type"] == "end" and event["test"]["top1"] is not None:
        mlflow.log_metric("final/top1", event["test"]["top1"])
    elif started and event["type"] == "close":
        mlflow.end_run("FAILED" if "error" in event else "FINISHED")
