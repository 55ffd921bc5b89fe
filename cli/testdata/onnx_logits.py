"""Run ONNX models on the CPU and hold their logits against ours.

Argument: a JSON list of cases {name, model, pixels, shape, logits, classes}, where pixels
and logits are files of little-endian float32. Prints a line for each case that fails, and
ends with 1 if one does.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime

LIMIT = 1e-5  # of the largest logit, or of 1

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
failed = 0
for case in json.load(open(sys.argv[1])):
    onnx.checker.check_model(case["model"], full_check=True)
    session = onnxruntime.InferenceSession(case["model"], options, providers=["CPUExecutionProvider"])
    x = np.fromfile(case["pixels"], "<f4").reshape([-1] + case["shape"])
    want = np.fromfile(case["logits"], "<f4").reshape(-1, case["classes"])
    worst = 0.0
    for rows in (len(x), 1, 7):  # any number of examples
        got = session.run(["logits"], {"input": x[:rows]})[0]
        assert got.shape == want[:rows].shape and got.dtype == np.float32, (case["name"], got.shape)
        worst = max(worst, float(np.abs(got - want[:rows]).max()) / max(1.0, float(np.abs(want).max())))
    spread = float(want.std(axis=0).max())  # between examples, else nothing is shown
    if not worst <= LIMIT or not spread > 1e-3:
        failed = 1
        print(f"{case['name']}: logits differ by {worst:.2e} (limit {LIMIT:.0e}), and between images by {spread:.2e}")
    elif "-v" in sys.argv:
        print(f"{case['name']}: {worst:.1e}")
sys.exit(failed)
