"""Steps of several students of one teacher: one after the other, each with a pass of its own through the teacher, or
all from one pass."""

import device
import networks
from common import serve
from step import Step


class Together:
    """Students that share a batch and one pass through the teacher."""

    def __init__(self, question, form):
        self.device, self.precision = question["device"], question["precision"]
        plain = {**question, "variant": "channels_last", "compiled": False}
        self.students = [Step(plain) for _ in range(question["students"])]
        first = self.students[0]
        teacher = networks.frozen(first.teacher, self.precision) if device.in_graph(form) else first.teacher
        for student in self.students:
            student.teacher = teacher
        self.targets, self.terms = first.targets, [student.student_losses for student in self.students]
        if question["compiled"]:
            self.targets = device.compiled(self.targets, form)
            self.terms = [device.compiled(terms, form) for terms in self.terms]
        self.run = self.captured() if device.in_graph(form) else self.work

    def work(self, images, labels, kept):
        with device.autocast(self.device, self.precision):
            h_t, z_t = self.targets(images, kept)
        for student, terms in zip(self.students, self.terms):
            student.optimizer.zero_grad()
            with device.autocast(self.device, self.precision):
                loss = sum(terms(images, labels, h_t, z_t))
            loss.backward()
            student.optimizer.step()

    def captured(self):
        changed = [tensor for student in self.students for tensor in student.changed()]
        optimizers = [student.optimizer for student in self.students]
        return device.Graph(self.work, self.students[0].first_inputs(), self.device, changed, optimizers)

    def step(self):
        self.run(*self.students[0].inputs())


class Alone:
    """Students that are trained one after the other."""

    def __init__(self, question, form):
        self.students = [Step({**question, "variant": form}) for _ in range(question["students"])]

    def step(self):
        for student in self.students:
            student.step()


class Students:
    def __init__(self, question):
        way, form = question["variant"].split(" ")
        self.students = {"together": Together, "alone": Alone}[way](question, form)
        self.images = question["steps"] * question["batchSize"] * question["students"]
        self.steps, self.device = question["steps"], question["device"]

    def check(self):
        self.students.step()
        return {}

    def several(self):
        for _ in range(self.steps):
            self.students.step()

    def measure(self):
        """Images a second, of all students."""
        return 1e3 * self.images / device.milliseconds(self.device, self.several)


if __name__ == "__main__":
    serve(Students)
