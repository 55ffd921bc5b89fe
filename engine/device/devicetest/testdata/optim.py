"""Writes optim.json beside this file: what PyTorch's optimizers make of a parameter in 40
steps with given gradients, in float64. It was written with torch 2.15.0:

    pip install torch==2.15.0 && python optim.py
"""

import json
import math
import pathlib
import struct

import torch


def single(x):
    """Rounds to float32, so that both float types begin with the same numbers."""
    return struct.unpack("f", struct.pack("f", x))[0]


STEPS = 40
start = [1.0, -0.5, 0.25]
scales = [1.0, 1e-3, 30.0]
gradients = [[single(s * math.sin(1.7 * t + i) + s * 0.3) for i, s in enumerate(scales)] for t in range(STEPS)]

CASES = [
    {"Kind": "sgd", "LR": 0.01},
    {"Kind": "sgd", "LR": 0.01, "WeightDecay": 0.1},
    {"Kind": "momentum", "LR": 0.01, "Mu": 0.9},
    {"Kind": "momentum", "LR": 0.01, "Mu": 0.9, "WeightDecay": 0.1},
    {"Kind": "momentum", "LR": 0.01, "Mu": 0.8, "Nesterov": True},
    {"Kind": "momentum", "LR": 0.01, "Mu": 0.9, "Nesterov": True, "WeightDecay": 0.1},
    {"Kind": "adam", "LR": 0.01, "Beta1": 0.9, "Beta2": 0.999, "Eps": 1e-8},
    {"Kind": "adam", "LR": 0.01, "Beta1": 0.5, "Beta2": 0.9, "Eps": 1e-3},
    {"Kind": "adam", "LR": 0.01, "Beta1": 0.9, "Beta2": 0.999, "Eps": 1e-8, "WeightDecay": 0.1},
    {"Kind": "adamw", "LR": 0.01, "Beta1": 0.9, "Beta2": 0.999, "Eps": 1e-8, "WeightDecay": 0.01},
    {"Kind": "adamw", "LR": 0.01, "Beta1": 0.8, "Beta2": 0.95, "Eps": 1e-8, "WeightDecay": 0.3},
]


def optimizer(p, c):
    more = {"lr": c["LR"], "weight_decay": c.get("WeightDecay", 0.0), "foreach": False}
    if c["Kind"] in ("sgd", "momentum"):
        return torch.optim.SGD([p], momentum=c.get("Mu", 0.0), nesterov=c.get("Nesterov", False), **more)
    rule = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[c["Kind"]]
    return rule([p], betas=(c["Beta1"], c["Beta2"]), eps=c["Eps"], **more)


cases = []
for c in CASES:
    p = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    o, after = optimizer(p, c), []
    for g in gradients:
        p.grad = torch.tensor(g, dtype=torch.float64)
        o.step()
        after.append(p.detach().tolist())
    cases.append({"Optimizer": c, "After": after})

out = {"Torch": torch.__version__, "Start": start, "Gradients": gradients, "Cases": cases}
text = json.dumps(out, indent=None, separators=(",", ":")).replace('{"Optimizer"', '\n{"Optimizer"').replace('"Gradients"', '\n"Gradients"')
pathlib.Path(__file__).with_name("optim.json").write_text(text + "\n")
