"""What the two peers share: networks, data, clock, processes, check.

A peer is a script with a class Trainer that trains one network. It calls start
before it imports its library, since thread counts and processors must be set by
then, and finish with its Trainer afterwards. The script prints lines of Go's
benchmark format, named as BenchmarkStep and BenchmarkCompare name theirs:

    BenchmarkStep/net=paper/norm=none/input=dense/impl=jax-scan/threads=2  400  512345 ns/op

What is timed is one training step: a batch taken by index from the resident
rows, forward, backward, SGD. The batches follow one random order, again and
again. Setting up and compiling are not timed.
"""

import argparse
import array
import gzip
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace

ROWS, INPUTS, CLASSES = 8192, 784, 10
WEIGHT_SD = 0.05
LEARNING_RATE = 1e-3  # the time of a step does not depend on it
REPLICAS = 6  # of BenchmarkCompare
TOGETHER = "-processes"  # ends the name of what runs in several processes
MOMENTUM, EPSILON = 0.1, 1e-5  # of batch normalization


@dataclass(frozen=True)
class Net:
    hidden: tuple
    activation: str
    batch: int
    convs: tuple = ()  # (in, out, padding) of 5×5 kernels before the hidden layers, each pooled 2×2

    @property
    def sizes(self):
        return (400 if self.convs else INPUTS, *self.hidden, CLASSES)

    @property
    def shapes(self):
        """The inputs and outputs of all layers' weights, the convolutions' first."""
        return [(25 * a, b) for a, b, _ in self.convs] + list(zip(self.sizes, self.sizes[1:]))


NETS = {
    "paper": Net((100, 100, 100), "sigmoid", 60),
    "wide": Net((1024, 1024, 1024), "relu", 512),
    "lenet": Net((120, 84), "relu", 60, ((1, 6, 2), (6, 16, 0))),
}


@dataclass(frozen=True)
class Task:
    """What a Trainer is made for."""

    net: Net
    norm: str  # "none" or "batchnorm"
    lr: float
    replicas: int  # networks that train side by side, each with its own weights and order
    weights: list  # of each replica, of each layer: outputs × inputs as float32 bytes
    order: list  # of each replica: the rows in the order of training, whole batches
    images: bytes  # ROWS × INPUTS: int32 (see below) if dense, else uint8 of 0 and 1
    labels: bytes  # ROWS classes, uint8
    dense: bool


# Of the integers in Task.images the low 24 bits count, times 2^-24: the same
# U(0,1) in every library.
UNIFORM_MASK, UNIFORM_SCALE = (1 << 24) - 1, 2.0**-24


def make_task(net, norm, data, seed, replicas=1, lr=LEARNING_RATE, repeat=None):
    """Returns a task. With repeat the order is that many batches, over and over."""
    rng = random.Random(seed)
    weights, order = [], []
    for _ in range(replicas):
        weights.append([
            array.array("f", (rng.gauss(0, WEIGHT_SD) for _ in range(a * b))).tobytes()
            for a, b in net.shapes
        ])
        rows = rng.sample(range(ROWS), ROWS)
        order.append(rows[: (repeat or ROWS // net.batch) * net.batch])
    images, labels, dense = data
    return Task(net, norm, lr, replicas, weights, order, images, labels, dense)


def load(name, mnist):
    """Returns images, labels and whether the images are dense."""
    if name == "dense":
        rng = random.Random(1)
        return rng.randbytes(4 * ROWS * INPUTS), bytes(b % CLASSES for b in rng.randbytes(ROWS)), True
    pixels = read_idx(mnist, "train-images-idx3-ubyte", 16, ROWS * INPUTS)
    ink = bytes(v > 127 for v in range(256))
    return pixels.translate(ink), read_idx(mnist, "train-labels-idx1-ubyte", 8, ROWS), False


def read_idx(folder, name, header, size):
    """Returns the first size bytes after the header of a file, gzipped or not."""
    for path in (os.path.join(folder, name), os.path.join(folder, name + ".gz")):
        if os.path.exists(path):
            with open(path, "rb") as f:
                zipped = f.read(2) == b"\x1f\x8b"
            with (gzip.open if zipped else open)(path, "rb") as f:
                data = f.read(header + size)[header:]
            if len(data) < size:
                sys.exit(f"{path} is too short")
            return data
    sys.exit(f"{folder} has no {name}, neither plain nor as .gz")


def comma_list(s):
    return s.split(",")


def parse(impls, nets):
    """Parses the command line. impls and nets are the peer's, in the order of running."""
    cpus = len(processors())
    p = argparse.ArgumentParser(description="Times training steps of a peer. Lists are separated by commas.")
    p.add_argument("--nets", type=comma_list, default=nets, help=", ".join(nets))
    p.add_argument("--norms", type=comma_list, default=["none", "batchnorm"], help="none, batchnorm")
    p.add_argument("--impls", type=comma_list, default=impls, help=", ".join(impls))
    p.add_argument("--threads", type=comma_list, default=sorted({"1", str(cpus)}), help="thread counts")
    p.add_argument("--mnist", metavar="DIR", help="folder of MNIST's IDX files: rows input=mnist of the paper net")
    p.add_argument("--count", type=int, default=1, help="lines of each benchmark")
    p.add_argument("--benchtime", type=float, default=1.0, metavar="SECONDS", help="about the time of a line")
    p.add_argument("--check", action="store_true", help="time nothing: check that every way of running trains, alike")
    p.add_argument("--worker", help=argparse.SUPPRESS)  # a Worker as JSON, in the processes that run things
    a = p.parse_args()
    for what, got, known in (("net", a.nets, nets), ("norm", a.norms, ("none", "batchnorm")), ("impl", a.impls, impls)):
        for g in got:
            if g not in known:
                p.error(f"unknown {what} {g}: choose from {', '.join(known)}")
    if not all(t.isdigit() and 0 < int(t) <= cpus for t in a.threads):
        p.error(f"threads are between 1 and {cpus} here")
    return a


@dataclass
class Worker:
    """What a process of the peer is told."""

    threads: int
    cpus: list  # to run on; empty for all
    role: str  # "step", "check", or "process": one of several that train at once
    impl: str = ""  # of a process
    norm: str = ""
    input: str = ""
    seed: int = 1


def processors():
    """Returns the processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def start(impls, pin, nets=tuple(NETS)):
    """Returns the arguments and the Worker in a process that runs things, for nets that the peer has.

    In the process that the user started it starts those and exits. With pin a
    process with n threads runs on n processors only.
    """
    args = parse(impls, list(nets))
    if args.worker:
        w = Worker(**json.loads(args.worker))
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # end without a traceback
        if w.cpus and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, w.cpus)
        os.environ["OMP_NUM_THREADS"] = str(w.threads)
        return args, w
    cpus, failed = processors(), False
    together = [i for i in args.impls if i.endswith(TOGETHER)]
    alone = len(args.impls) > len(together)
    try:
        for threads in map(int, args.threads if alone else ()):
            w = Worker(threads, cpus[-threads:] if pin else [], "check" if args.check else "step")
            failed |= subprocess.run(command(w)).returncode != 0
        for impl in together if not args.check and "paper" in args.nets else ():
            for norm in args.norms:
                for inputs in inputs_of("paper", args):
                    failed |= not run_processes(impl, norm, inputs, args, cpus[:REPLICAS])
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(1 if failed else 0)


def command(w):
    return [sys.executable, *sys.argv, "--worker", json.dumps(asdict(w))]


def inputs_of(net, args):
    return ["dense", "mnist"] if args.mnist and net == "paper" else ["dense"]


def finish(args, w, peer, trainer, chunks):
    """Does what a Worker says. peer is the library with its version.

    trainer(task, impl, chunk) makes a Trainer, whose run(n) runs n steps, a
    multiple of chunk, to their end and returns the last losses; state() returns
    the mean of the last layer's running means and of its running variances.
    chunks[impl] is the number of steps that one call of the library runs.
    """
    impls = [i for i in args.impls if not i.endswith(TOGETHER)]
    if w.role == "process":
        serve(args, w, peer, trainer, chunks)
    elif w.role == "check":
        check(impls, w, trainer, chunks)
    else:
        print("peer:", peer, flush=True)
        time_all(args, impls, w, trainer, chunks)


def time_all(args, impls, w, trainer, chunks):
    failed = False
    for net in args.nets:
        for inputs in inputs_of(net, args):
            data = load(inputs, args.mnist)
            for norm in args.norms:
                for impl in impls:
                    many = impl.endswith("-vmap")
                    if net != "paper" and (many or chunks[impl] == 4):
                        continue  # nothing to gain where a step takes long
                    chunk = chunks[impl] if net == "paper" else min(chunks[impl], 4)
                    replicas = REPLICAS if many else 1
                    kind, side = ("Compare", f"replicas={REPLICAS}/") if many else ("Step", "")
                    name = f"Benchmark{kind}/net={net}/{side}norm={norm}/input={inputs}/impl={impl}/threads={w.threads}"
                    try:
                        t = trainer(make_task(NETS[net], norm, data, 1, replicas), impl, chunk)
                        time_one(args, name, t, chunk, replicas)
                    except Exception as e:  # whatever a library raises; the others go on
                        failed = True
                        print(f"{name}: {type(e).__name__}: {e}", file=sys.stderr)
    sys.exit(1 if failed else 0)


def time_one(args, name, t, chunk, replicas):
    slice_ = steps_in(min(0.1, args.benchtime), warm(t, chunk), chunk)
    for _ in range(args.count):
        n, begin, took = 0, time.perf_counter(), 0
        while took < args.benchtime:
            losses = t.run(slice_)
            n, took = n + slice_, time.perf_counter() - begin
        if not all(map(math.isfinite, losses)):
            raise ArithmeticError("the loss ceased to be finite")
        emit(name, n * replicas, took)


def warm(t, chunk, seconds=0.3):
    """Compiles and warms up; returns the seconds of a step, the best seen."""
    t.run(chunk)
    n, best, begin = chunk, math.inf, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        last = time.perf_counter()
        t.run(n)
        best = min(best, (time.perf_counter() - last) / n)
        n = steps_in(seconds / 4, best, chunk)
    return best


def steps_in(seconds, per, chunk):
    return max(1, round(seconds / per / chunk)) * chunk


def emit(name, n, seconds):
    print(f"{name}\t{n}\t{seconds / n * 1e9:.0f} ns/op", flush=True)


def serve(args, w, peer, trainer, chunks):
    """Runs as many steps as each line of standard input says, and answers."""
    chunk = chunks[w.impl]
    t = trainer(make_task(NETS["paper"], w.norm, load(w.input, args.mnist), w.seed), w.impl, chunk)
    print(json.dumps({"peer": peer, "per": warm(t, chunk), "chunk": chunk}), flush=True)
    for line in sys.stdin:
        ok = all(map(math.isfinite, t.run(int(line))))
        print(json.dumps({"ok": ok}), flush=True)


def run_processes(impl, norm, inputs, args, cpus):
    """Times processes that train at once, one a processor; an operation is one
    step of one network. Tells whether it worked."""
    name = f"BenchmarkCompare/net=paper/replicas={REPLICAS}/norm={norm}/input={inputs}/impl={impl}/processes={len(cpus)}"
    children = [
        subprocess.Popen(command(Worker(1, [cpu], "process", impl, norm, inputs, seed)),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for seed, cpu in enumerate(cpus, 1)
    ]
    try:
        ready = [answer(c) for c in children]
        print("peer:", ready[0]["peer"], flush=True)
        # All run the same number of steps.
        n = steps_in(args.benchtime, min(r["per"] for r in ready), ready[0]["chunk"])
        for _ in range(args.count):
            begin = time.perf_counter()
            for c in children:
                print(n, file=c.stdin, flush=True)
            if not all(answer(c)["ok"] for c in children):
                raise ValueError("the loss ceased to be finite")
            emit(name, n * len(children), time.perf_counter() - begin)
        return True
    except (ValueError, OSError) as e:
        print(f"{name}: {e}", file=sys.stderr)
        return False
    finally:
        for c in children:
            c.kill()
            c.communicate()


def answer(child):
    """Returns the next object that a child prints; other lines are passed on."""
    for line in child.stdout:
        if line.startswith("{"):
            return json.loads(line)
        print(line, end="", flush=True)
    raise ValueError("a process ended")


# Losses of the first 40 steps of one repeated batch, every eighth, and the state
# of the last normalization then: PyTorch, float64. See check.
CHECK_STEPS, CHECK_EVERY, CHECK_LR = 40, 8, 0.5
CHECKED = {
    "none": ([2.18344, 2.172215, 2.163876, 2.157999, 2.15392], []),
    "batchnorm": ([1.138326, 0.433909, 0.231807, 0.147687, 0.10467], [0.006932, 0.032566]),
}


def check(impls, w, trainer, chunks):
    """Checks that every way of running the paper net trains: the loss falls, and
    the losses and statistics are those of CHECKED. One that does not run, such as
    a compiled one without a compiler, is not wrong: it gives no row either."""
    data, bad = load("dense", None), 0
    for norm, (want, want_state) in CHECKED.items():
        for impl in impls:
            # The replicas that train side by side are one network six times.
            task = make_task(NETS["paper"], norm, data, 7, 1, CHECK_LR, 1)
            many = REPLICAS if impl.endswith("-vmap") else 1
            task = replace(task, replicas=many, weights=task.weights * many, order=task.order * many)
            name = f"check norm={norm} impl={impl} threads={w.threads}"
            try:
                t = trainer(task, impl, min(chunks[impl], CHECK_EVERY))
                runs = [t.run(CHECK_EVERY) for _ in range(CHECK_STEPS // CHECK_EVERY)]
            except Exception as e:  # whatever a library raises
                print(f"{name}: does not run: {type(e).__name__}: {e}", file=sys.stderr)
                continue
            got, state = [r[0] for r in runs], t.state()
            ok = all(close(x, y) for r, y in zip(runs, want) for x in r) and all(map(close, state, want_state))
            ok = ok and got[-1] < got[0]
            bad += not ok
            losses = " ".join(f"{x:.5f}" for x in got)
            state = " ".join(f"{x:.5f}" for x in state)
            print(f"{name}: {'ok' if ok else 'WRONG'}: losses {losses} statistics {state}", file=sys.stderr)
    if bad:
        sys.exit(1)


def close(x, y):
    return abs(x - y) <= 1e-4 * (1 + abs(y))
