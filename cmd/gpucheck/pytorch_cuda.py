"""PyTorch's training steps on CUDA, timed on request; see bench.go.

Reads one JSON object a line from standard input and answers each with one:

    {"open": KEY, "norm": "none", "replicas": 1, "impl": "eager", "steps": 50}
        → {"Loss": loss of the last of the first 50 steps, replica 0}
    {"run": KEY, "steps": 200} → {"Seconds": what 200 more steps took}

or with {"Error": reason}. The folder has what Driftless trains on: task.json,
pixels and labels as bytes, initial weights, and the order of the rows.

    eager             a call an operation
    compile           torch.compile, the whole step as one graph where that works
    graph             one eager step in a CUDA graph
    graph50           fifty of them in a CUDA graph
    compile-graph50   fifty compiled steps in a CUDA graph
    …+tf32            the same, products in TF32; all others are in float32

All data lie on the device. The eager step gets each batch's row numbers as a
tensor that is there already; in graphs a counter on the device chooses them. The
order of the first epoch is taken again and again.
Several networks are one: batched products with a dimension for the network.
"""

import argparse
import functools
import json
import os
import sys
import time

p = argparse.ArgumentParser()
p.add_argument("--device", default="cuda:0", help="cuda:N, or cpu, which has no graphs")
p.add_argument("--folder", required=True)
args = p.parse_args()

# What libraries print must not come between the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(**what):
    print(json.dumps(what), file=answers, flush=True)


def reason(e):
    return f"{type(e).__name__}: {' '.join(str(e).split())[:400]}"


try:
    import torch
    import torch.nn.functional as F

    device = torch.device(args.device)
    cuda = device.type == "cuda"
    if cuda and not torch.cuda.is_available():
        raise RuntimeError(f"torch {torch.__version__} finds no CUDA device")
    if cuda:
        torch.cuda.set_device(device)
        torch.zeros(1, device=device)
except Exception as e:  # whatever a library raises
    answer(Error=reason(e))
    sys.exit(0)

MOMENTUM, EPSILON = 0.1, 1e-5
IMPLS = ["eager", "compile"]
if cuda:
    IMPLS += ["graph", "graph50", "compile-graph50", "compile-graph50+tf32"]
CHUNKS = {"graph": 1, "graph50": 50, "compile-graph50": 50, "compile-graph50+tf32": 50}

for setting, value in (("trace_autograd_ops", True), ("recompile_limit", 256), ("cache_size_limit", 256)):
    try:  # each is of some versions only
        setattr(torch._dynamo.config, setting, value)
    except Exception:
        pass


def raw(name, dtype):
    with open(os.path.join(args.folder, name), "rb") as f:
        return torch.frombuffer(bytearray(f.read()), dtype=dtype)


with open(os.path.join(args.folder, "task.json")) as f:
    task = json.load(f)
sizes, B, lr = task["sizes"], task["batch"], task["lr"]
images = raw("images", torch.uint8).view(task["rows"], sizes[0]).to(device)
labels = raw("labels", torch.uint8).long().to(device)
order = raw("order", torch.int32).long().view(task["replicas"], -1, B).to(device)  # replica, batch, row
weights, at = [], 0
flat = raw("weights", torch.float32)
for a, b in zip(sizes, sizes[1:]):
    n = task["replicas"] * a * b
    weights.append(flat[at : at + n].view(task["replicas"], a, b))  # inputs × outputs
    at += n


def initial(norm, replicas):
    """Returns parameters and running statistics in the order of use."""
    params, stats = [], []
    one = replicas == 1
    for i, w in enumerate(weights):
        w = w[0].t() if one else w[:replicas]
        n = sizes[i + 1]
        vector = (n,) if one else (replicas, 1, n)
        params += [w.clone(memory_format=torch.contiguous_format), torch.zeros(vector)]
        if norm == "batchnorm" and i + 1 < len(weights):
            params += [torch.ones(vector), torch.zeros(vector)]
            stats += [torch.zeros(vector), torch.ones(vector)]
    return [p.to(device).requires_grad_() for p in params], [s.to(device) for s in stats]


def forward_one(norm, params, stats, rows):
    x, y = (images.index_select(0, rows) > 127).float(), labels.index_select(0, rows)
    p, s = iter(params), iter(stats)
    for _ in sizes[1:-1]:
        x = F.linear(x, next(p), next(p))
        if norm == "batchnorm":
            mean, var, gamma, beta = next(s), next(s), next(p), next(p)
            x = F.batch_norm(x, mean, var, gamma, beta, True, MOMENTUM, EPSILON)
        x = torch.sigmoid(x)
    loss = F.cross_entropy(F.linear(x, next(p), next(p)), y)
    return loss, loss.detach()


def forward_many(norm, params, stats, rows):
    """The networks' losses are added: none sees another's gradient."""
    n = rows.shape[0]
    x = (images.index_select(0, rows.reshape(-1)) > 127).float().view(n, B, -1)
    y = labels.index_select(0, rows.reshape(-1))
    p, s = iter(params), iter(stats)
    for _ in sizes[1:-1]:
        w, b = next(p), next(p)
        x = torch.baddbmm(b, x, w)
        if norm == "batchnorm":
            mean, var, gamma, beta = next(s), next(s), next(p), next(p)
            v, m = torch.var_mean(x, 1, correction=0, keepdim=True)
            x = (x - m) * torch.rsqrt(v + EPSILON) * gamma + beta
            with torch.no_grad():
                mean.lerp_(m.detach(), MOMENTUM)
                var.lerp_(v.detach() * (B / (B - 1)), MOMENTUM)
        x = torch.sigmoid(x)
    w, b = next(p), next(p)
    logits = torch.baddbmm(b, x, w)
    each = F.cross_entropy(logits.view(n * B, -1), y, reduction="none").view(n, B).mean(1)
    return each.sum(), each.detach()[0]


@functools.cache  # compiled once, with and without graphs
def compiled(norm, replicas, tf32):
    """Returns the step and the loss alone, compiled at their first call."""
    forward = forward_one if replicas == 1 else forward_many

    def step(params, stats, rows):
        loss, first = forward(norm, params, stats, rows)
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            torch._foreach_add_(params, grads, alpha=-lr)
        return first

    def loss(params, stats, rows):
        return forward(norm, params, stats, rows)

    return torch.compile(step, fullgraph=True, dynamic=False), torch.compile(loss, dynamic=False)


class Trainer:
    def __init__(self, norm, replicas, impl):
        self.tf32 = impl.endswith("+tf32")
        impl = impl.removesuffix("+tf32")
        self.how = ""
        self.forward = forward_one if replicas == 1 else forward_many
        self.norm, self.replicas = norm, replicas
        self.order = order[0] if replicas == 1 else order[:replicas].transpose(0, 1).contiguous()  # batch first
        self.batches = list(self.order)
        self.chunk = CHUNKS.get(impl, 1)
        self.graph = None
        self.setup()
        self.precision()
        step = self.step
        if impl.startswith("compile"):
            step = self.compiled()
        self.call = step
        if impl in CHUNKS:
            self.capture(step)
            self.reset()

    def setup(self):
        self.params, self.stats = initial(self.norm, self.replicas)
        self.at = 0
        self.counter = torch.zeros(1, dtype=torch.long, device=device)

    def reset(self):
        """Everything as at the start, in the same memory."""
        params, stats = initial(self.norm, self.replicas)
        with torch.no_grad():
            for old, new in zip(self.params + self.stats, params + stats):
                old.copy_(new)
        self.counter.zero_()
        self.at = 0

    def precision(self):
        torch.set_float32_matmul_precision("high" if self.tf32 else "highest")

    def update(self, grads):
        with torch.no_grad():
            torch._foreach_add_(self.params, grads, alpha=-lr)

    def step(self, rows):
        loss, first = self.forward(self.norm, self.params, self.stats, rows)
        self.update(torch.autograd.grad(loss, self.params))
        return first

    def compiled(self):
        """Returns a compiled step: gradients and update in it, or where this version
        does not take that, forward and backward without the update."""
        batch = self.batches[0]
        f, g = compiled(self.norm, self.replicas, self.tf32)
        try:
            f(self.params, self.stats, batch)
            return lambda rows: f(self.params, self.stats, rows)
        except Exception as e:
            print("the whole step is not compiled:", reason(e), file=sys.stderr)
        self.reset()

        def split(rows):
            loss, first = g(self.params, self.stats, rows)
            self.update(torch.autograd.grad(loss, self.params))
            return first

        split(batch)
        self.how = "update outside"
        return split

    def counted(self, step):
        rows = self.order.index_select(0, self.counter).squeeze(0)
        loss = step(rows)
        self.counter.add_(1).remainder_(len(self.batches))
        return loss

    def capture(self, step):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(4):
                self.counted(step)
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            for _ in range(self.chunk):
                self.loss = self.counted(step)

    def run(self, n):
        """Runs n steps, in whole graphs."""
        if self.graph:
            for _ in range((n + self.chunk - 1) // self.chunk):
                self.graph.replay()
            return
        for _ in range(n):
            self.loss = self.call(self.batches[self.at])
            self.at = (self.at + 1) % len(self.batches)

    def wait(self):
        if cuda:
            torch.cuda.synchronize()


def serve(trainers, request):
    if "open" in request:
        t = Trainer(request["norm"], request["replicas"], request["impl"])
        t.reset()
        t.run(request["steps"])
        t.wait()
        trainers[request["open"]] = t
        return {"Loss": t.loss.item(), "How": t.how}
    t = trainers[request["run"]]
    t.precision()
    n = (request["steps"] + t.chunk - 1) // t.chunk * t.chunk
    t.wait()
    begin = time.perf_counter()
    t.run(n)
    t.wait()
    return {"Seconds": (time.perf_counter() - begin) * request["steps"] / n}


trainers = {}
name = torch.cuda.get_device_name(device) if cuda else "cpu"
answer(Torch=torch.__version__, Device=name, Impls=IMPLS)
for line in sys.stdin:
    try:
        reply = serve(trainers, json.loads(line))
    except Exception as e:  # whatever a library raises; the others go on
        reply = {"Error": reason(e)}
    answer(**reply)
