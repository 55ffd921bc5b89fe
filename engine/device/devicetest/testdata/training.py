"""Writes training.json beside this file: what PyTorch makes of a small net in 40 steps, in
float64, with weight decay, the norm of the gradients bounded, and schedules of the learning
rate. It was written with torch 2.15.0:

    pip install torch==2.15.0 && python training.py
"""

import json
import math
import pathlib
import struct
import warnings

import torch
from torch.optim import lr_scheduler

warnings.filterwarnings("error")
warnings.filterwarnings("ignore", message="The epoch parameter in")  # which SequentialLR itself gives


def single(x):
    """Rounds to float32, so that both float types begin with the same numbers."""
    return struct.unpack("f", struct.pack("f", x))[0]


STEPS = 40
ROWS, WIDTH, HIDDEN = 8, 3, 5
x = [[single(math.sin(7 * i + 3 * j)) for j in range(WIDTH)] for i in range(ROWS)]
y = [[single(2 * r[0] * r[1] - r[2])] for r in x]
start = {
    "w": [[single(math.cos(3 * (HIDDEN * i + j))) for j in range(HIDDEN)] for i in range(WIDTH)],
    "b": [single(math.sin(2 * j) / 4) for j in range(HIDDEN)],
    "v": [[single(math.cos(5 * j + 1))] for j in range(HIDDEN)],
}

RULES = [
    {"Kind": "sgd", "LR": 0.1},
    {"Kind": "momentum", "LR": 0.05, "Mu": 0.9},
    {"Kind": "momentum", "LR": 0.05, "Mu": 0.8, "Nesterov": True},
    {"Kind": "adam", "LR": 0.05, "Beta1": 0.9, "Beta2": 0.999, "Eps": 1e-8},
    {"Kind": "adamw", "LR": 0.05, "Beta1": 0.9, "Beta2": 0.999, "Eps": 1e-8},
]
# PyTorch's cosine rises again after its end, so that it ends with the training here.
SCHEDULES = [
    {"WarmUp": 6},
    {"Kind": "step", "Every": 7, "Gamma": 0.5},
    {"Kind": "step", "Every": 9, "WarmUp": 5},
    {"Kind": "cosine", "Total": 40},
    {"Kind": "cosine", "Total": 40, "End": 0.1, "WarmUp": 8},
    {"Kind": "linear", "Total": 30},
    {"Kind": "linear", "Total": 35, "End": 0.2, "WarmUp": 1},
]
EXTRA = [{"WeightDecay": 0.02}, {"ClipNorm": 1.0}] + [{"WeightDecay": 0.02, "ClipNorm": 1.0, "Schedule": s} for s in SCHEDULES]


def optimizer(params, c):
    more = {"lr": c["LR"], "weight_decay": c.get("WeightDecay", 0.0), "foreach": False}
    if c["Kind"] in ("sgd", "momentum"):
        return torch.optim.SGD(params, momentum=c.get("Mu", 0.0), nesterov=c.get("Nesterov", False), **more)
    rule = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[c["Kind"]]
    return rule(params, betas=(c["Beta1"], c["Beta2"]), eps=c["Eps"], **more)


def scheduler(o, c):
    s = c.get("Schedule", {})
    warm, end, total = s.get("WarmUp", 0), s.get("End", 0.0), s.get("Total", 0)
    main = {
        "constant": lambda: lr_scheduler.ConstantLR(o, factor=1.0),
        "step": lambda: lr_scheduler.StepLR(o, s["Every"], gamma=s.get("Gamma", 0.1)),
        "cosine": lambda: lr_scheduler.CosineAnnealingLR(o, total - warm, eta_min=end * c["LR"]),
        "linear": lambda: lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=end, total_iters=total - warm),
    }[s.get("Kind", "constant")]
    if warm == 0:
        return main()
    first = lr_scheduler.LinearLR(o, start_factor=1 / (warm + 1), end_factor=1.0, total_iters=warm)
    return lr_scheduler.SequentialLR(o, [first, main()], milestones=[warm])


def train(c):
    p = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in start.items()}
    inputs, targets = torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)
    o = optimizer(list(p.values()), c)
    s, rates, losses, clipped = scheduler(o, c), [], [], 0
    for _ in range(STEPS):
        rates.append(o.param_groups[0]["lr"])
        o.zero_grad()
        loss = ((torch.tanh(inputs @ p["w"] + p["b"]) @ p["v"] - targets) ** 2).mean()
        loss.backward()
        if "ClipNorm" in c:
            clipped += float(torch.nn.utils.clip_grad_norm_(p.values(), c["ClipNorm"])) > c["ClipNorm"]
        o.step()
        s.step()
        losses.append(loss.item())
    assert "ClipNorm" not in c or 5 <= clipped <= STEPS - 5, (c, clipped)  # or the case tells little
    return {"Optimizer": c, "Rates": rates, "Losses": losses, "After": {k: v.detach().flatten().tolist() for k, v in p.items()}}


flat = lambda rows: [v for r in rows for v in (r if isinstance(r, list) else [r])]
cases = [train(rule | extra) for rule in RULES for extra in EXTRA]
out = {"Torch": torch.__version__, "X": flat(x), "Y": flat(y), "Start": {k: flat(v) for k, v in start.items()}, "Cases": cases}
text = json.dumps(out, separators=(",", ":")).replace('{"Optimizer"', '\n{"Optimizer"')
pathlib.Path(__file__).with_name("training.json").write_text(text + "\n")
