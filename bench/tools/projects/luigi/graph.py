"""The graph for Luigi: a task a step, done where its file is there."""

import sys

import luigi
import mixing

PRIME = 1_000_000_007
WIDTH = int(sys.argv[1])
HALF = WIDTH // 2


class Number(luigi.Task):
    layer = luigi.IntParameter()
    i = luigi.IntParameter()

    def output(self):
        return luigi.LocalTarget(f"v/{self.layer}_{self.i}")

    def write(self, number):
        with self.output().open("w") as file:
            file.write(str(number))


class Start(Number):
    def run(self):
        self.write(self.i)


class Sum(Number):
    def requires(self):
        return [task(self.layer - 1, self.i), task(self.layer - 1, (self.i + 1) % WIDTH)]

    def inputs(self):
        for target in self.input():
            with target.open() as file:
                yield int(file.read())


class Add(Sum):
    def run(self):
        a, b = self.inputs()
        self.write((a + b) % PRIME)


class Middle(Sum):
    def run(self):
        a, b = self.inputs()
        self.write((a + b + 0) % PRIME)


class Helped(Sum):
    def run(self):
        a, b = self.inputs()
        self.write(mixing.mixed(a, b))


def task(layer, i):
    if layer == 0:
        return Start(layer, i)
    if layer < HALF:
        return Add(layer, i)
    return Middle(layer, i) if (layer, i) == (HALF, HALF) else Helped(layer, i)


right = luigi.build(
    [task(WIDTH - 1, i) for i in range(WIDTH)],
    local_scheduler=True,
    workers=1,
    no_lock=True,
    log_level="ERROR",
)
sys.exit(not right)
