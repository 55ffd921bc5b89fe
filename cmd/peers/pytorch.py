"""PyTorch's training steps beside driftless's; see common.py.

    python pytorch.py --nets paper --threads 1,2 --count 5

    pytorch-eager      a call an operation
    pytorch-compile    torch.compile, the whole step as one graph
    pytorch-compile4   the same, four steps in a graph (paper net)
    pytorch-processes  pytorch-compile4 in a process a processor

The step is written for speed: functions instead of modules, gradients from
autograd.grad instead of .backward() and .grad, the update as one foreach
addition. In eager mode that was faster than SGD(foreach=True) and
SGD(fused=True). Compiled as one graph, update included, it was faster than a
compiled loss with the update outside; mode max-autotune and the C++ wrapper made
no difference.
"""

import functools
import math

import common

IMPLS = ["pytorch-eager", "pytorch-compile", "pytorch-compile4", "pytorch-processes"]
CHUNKS = {"pytorch-eager": 1, "pytorch-compile": 1, "pytorch-compile4": 4, "pytorch-processes": 4}

args, worker = common.start(IMPLS, pin=False)

import torch  # noqa: E402: only in a process that runs things
import torch.nn.functional as F  # noqa: E402

torch.set_num_threads(worker.threads)
torch._dynamo.config.trace_autograd_ops = True  # autograd.grad inside the graph
torch._dynamo.config.recompile_limit = 64  # each network and norm is another graph


def floats(raw, *shape):
    return torch.frombuffer(bytearray(raw), dtype=torch.float32).view(shape)


class Trainer:
    def __init__(self, task, impl, chunk):
        self.images, self.labels = tensors(task)
        self.params, self.stats = [], []  # in the order of use
        convs = len(task.net.convs)
        for i, ((a, b), raw) in enumerate(zip(task.net.shapes, task.weights[0])):
            shape = (b, a // 25, 5, 5) if i < convs else (b, a)
            self.params += [floats(raw, *shape), torch.zeros(b)]
            if task.norm == "batchnorm" and b != common.CLASSES:
                self.params += [torch.ones(b), torch.zeros(b)]
                self.stats += [torch.zeros(b), torch.ones(b)]
        for p in self.params:
            p.requires_grad_()
        order = torch.tensor(task.order[0]).view(-1, task.net.batch)
        self.chunk, self.at = chunk, 0
        if chunk == 1:
            self.batches = list(order)
        else:
            # Whole calls out of the order, repeated as often as that takes.
            order = order.repeat(math.lcm(len(order), chunk) // len(order), 1)
            self.batches = list(order.view(-1, chunk, task.net.batch))
        self.call = caller(task.net, task.norm, task.lr, chunk, impl != "pytorch-eager")

    def run(self, n):
        for _ in range(n // self.chunk):
            loss = self.call(self.params, self.stats, self.images, self.labels, self.batches[self.at])
            self.at = (self.at + 1) % len(self.batches)
        return [loss.item()]

    def state(self):
        return [s.mean().item() for s in self.stats[-2:]]


@functools.cache  # compiled once, whatever the input
def caller(net, norm, lr, chunk, compiled):
    """Returns a function that runs chunk steps and returns the last loss."""

    def step(params, stats, images, labels, rows):
        x, y = images.index_select(0, rows), labels.index_select(0, rows)
        p, s = iter(params), iter(stats)
        if net.convs:
            x = x.view(-1, 1, 28, 28)
        for i in range(len(net.convs) + len(net.hidden)):
            if i < len(net.convs):
                x = F.conv2d(x, next(p), next(p), padding=net.convs[i][2])
            else:
                x = F.linear(x.flatten(1), next(p), next(p))
            if norm == "batchnorm":
                mean, var, gamma, beta = next(s), next(s), next(p), next(p)
                x = F.batch_norm(x, mean, var, gamma, beta, True, common.MOMENTUM, common.EPSILON)
            x = torch.sigmoid(x) if net.activation == "sigmoid" else torch.relu(x)
            if i < len(net.convs):
                x = F.max_pool2d(x, 2)
        loss = F.cross_entropy(F.linear(x, next(p), next(p)), y)
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            torch._foreach_add_(params, grads, alpha=-lr)
        return loss.detach()

    def steps(params, stats, images, labels, rows):
        for i in range(chunk):
            loss = step(params, stats, images, labels, rows[i])
        return loss

    f = step if chunk == 1 else steps
    return torch.compile(f, fullgraph=True, dynamic=False) if compiled else f


def tensors(task):
    shape = (common.ROWS, common.INPUTS)
    labels = torch.frombuffer(bytearray(task.labels), dtype=torch.uint8).long()
    if not task.dense:
        return torch.frombuffer(bytearray(task.images), dtype=torch.uint8).view(shape).float(), labels
    raw = torch.frombuffer(bytearray(task.images), dtype=torch.int32)
    return ((raw & common.UNIFORM_MASK).float() * common.UNIFORM_SCALE).view(shape), labels


common.finish(args, worker, f"pytorch {torch.__version__}", Trainer, CHUNKS)
