"""Whether what the peers of the benchmark do on a GPU is what they do eagerly: on a CPU, and with the calls of
torch.cuda.graph recorded in place of the CUDA that is not there. Prints `ok`."""

import contextlib
import os
import sys
import tempfile
from unittest import mock

import torch

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../bench/peers"))
import augment  # noqa: E402
import device  # noqa: E402
import networks  # noqa: E402
import optim  # noqa: E402
import step  # noqa: E402
import students  # noqa: E402
import teacher  # noqa: E402

names = {"teacher": "wrn_16_2", "student": "wrn_16_2"}


def settled(name, classes, images):
    """A network whose normalizations know these images."""
    network = networks.create(name, classes).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network(images)
    return network.eval()


def write_start(file, batch=4):
    torch.manual_seed(0)
    images, labels = torch.randn(2 * batch, 3, 32, 32), torch.randint(0, 10, (2 * batch,))
    states = {name: settled(kind, 10, images).state_dict() for name, kind in names.items()}
    states["connector"] = step.Connector(128, 128).state_dict()
    torch.save({"images": images, "labels": labels, **states}, file)
    return {
        "file": file,
        "batchSize": batch,
        "numClasses": 10,
        "lr": 0.01,
        "momentum": 0.9,
        "weightDecay": 5e-4,
        "device": "cpu",
        "compiled": False,
        "steps": 1,
        **names,
    }


def close(actual, expected, allowed):
    assert set(actual) == set(expected), (actual, expected)
    for name, value in expected.items():
        assert abs(actual[name] - value) <= allowed * abs(value) + 1e-6, (name, actual[name], value)


def check_frozen():
    """Folding changes nothing but rounding, in every kind of block."""
    for name in ("wrn_16_2", "resnet8x4", "resnet18"):
        images = torch.randn(4, 3, 64, 64)
        network = settled(name, 10, images)
        with torch.no_grad():
            before = network(images)[2]
            after = networks.frozen(network, "float32")(images)[2]
        assert torch.allclose(before, after, 1e-3, 1e-3), (name, (before - after).abs().max())
        left = [norm for norm in network.modules() if isinstance(norm, torch.nn.BatchNorm2d)]
        # Only WRN has normalizations that follow no convolution.
        assert bool(left) == name.startswith("wrn"), (name, left)


def check_steps(question):
    """A step in a graph begins with the same weights and changes them in the same way, twice in a row."""
    for precision, allowed in (("float32", 2e-3), ("bfloat16", 5e-2)):
        for kind in ("ce", "live", "cached"):
            asked = {**question, "kind": kind, "precision": precision}
            eager = step.Step({**asked, "variant": "channels_last"}).check()
            graph = step.Step({**asked, "variant": "graph"})
            assert isinstance(graph.run, device.Graph)
            close(graph.check(), eager, allowed)


def check_students(question):
    """Students of one pass are those that were trained alone."""
    asked = {**question, "kind": "live", "precision": "float32", "students": 2}
    found = {}
    for variant in ("together graph", "together channels_last", "alone graph", "alone channels_last"):
        peer = students.Students({**asked, "variant": variant})
        for _ in range(2):
            peer.students.step()
        found[variant] = [float(each.student.fc.weight.detach().abs().mean()) for each in peer.students.students]
    for variant, values in found.items():
        for value, expected in zip(values, found["alone channels_last"]):
            assert abs(value - expected) <= 1e-4 * expected, (variant, found)


def check_teacher(question):
    for precision, allowed in (("float32", 2e-3), ("bfloat16", 5e-2)):
        asked = {**question, "precision": precision}
        close(
            teacher.Teacher({**asked, "variant": "graph"}).check(),
            teacher.Teacher({**asked, "variant": "eager"}).check(),
            allowed,
        )


def check_optim(folder):
    file = os.path.join(folder, "params.pth")
    shapes = ((3, 4), (5,))
    torch.save({"params": [torch.randn(s) for s in shapes], "gradients": [torch.randn(s) for s in shapes]}, file)
    for name, settings in (("SGD", {"lr": 0.1, "momentum": 0.9}), ("AdamW", {"lr": 0.1})):
        asked = {"file": file, "name": name, "settings": settings, "steps": 3, "device": "cpu"}
        values = [optim.Steps({**asked, "variant": variant}).check() for variant in optim.forms]
        for other in values[1:]:
            close(other, values[0], 1e-5)


def check_augment(folder):
    file = os.path.join(folder, "images.pth")
    torch.save({"images": torch.full((8, 3, 6, 6), 255, dtype=torch.uint8)}, file)
    asked = {
        "file": file,
        "batchSize": 4,
        "pad": 2,
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "device": "cpu",
        "compiled": False,
    }
    for variant in ("batch", "graph"):
        batches = list(augment.Epochs({**asked, "variant": variant}).loader)
        assert [tuple(each.shape) for each in batches] == [(4, 3, 6, 6)] * 2
        assert set(torch.cat(batches).unique().tolist()) <= {-2.0, 2.0}


def check_capture():
    """On a GPU: warm-up on a stream of its own, what was changed set back, then one capture, and replays alone."""
    said, total = [], torch.zeros(())

    def work(x):
        said.append("work")
        total.add_(x)
        return total

    class Recorded:
        def replay(self):
            said.append("replay")

    @contextlib.contextmanager
    def spoken(word):
        said.append(word)
        yield
        said.append(f"end of {word}")

    cuda = {
        "Stream": mock.Mock,
        "current_stream": mock.Mock(),
        "stream": lambda stream: spoken("stream"),
        "synchronize": lambda: said.append("synchronize"),
        "CUDAGraph": Recorded,
        "graph": lambda graph: spoken(f"capture of {total.item()}"),
    }
    with mock.patch.multiple(torch.cuda, **cuda):
        graph = device.Graph(work, (torch.ones(()),), "cuda:0", [total])
        graph(torch.full((), 3.0))
    assert said == [
        "work",
        "stream",
        "work",
        "work",
        "work",
        "end of stream",
        "synchronize",
        "capture of 0.0",
        "work",
        "end of capture of 0.0",
        "replay",
    ], said
    assert graph.held[0].item() == 3


if __name__ == "__main__":
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        question = write_start(os.path.join(folder, "start.pth"))
        check_frozen()
        check_steps(question)
        check_students(question)
        check_teacher(question)
        check_optim(folder)
        check_augment(folder)
        check_capture()
    print("ok")
