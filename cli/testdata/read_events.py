"""Print what TensorBoard's own reader finds below a folder, as JSON:
{folder: {"scalars": {tag: {step: value}}, "histograms": {tag: {step: [min, max, num]}}}}.
"""

import json
import os
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

found = {}
for folder, _, files in os.walk(sys.argv[1]):
    if not files:
        continue
    events = EventAccumulator(folder, size_guidance={"scalars": 0, "histograms": 0}).Reload()
    tags = events.Tags()
    found[os.path.relpath(folder, sys.argv[1])] = {
        "scalars": {t: {e.step: e.value for e in events.Scalars(t)} for t in tags["scalars"]},
        "histograms": {
            t: {e.step: [e.histogram_value.min, e.histogram_value.max, e.histogram_value.num] for e in events.Histograms(t)}
            for t in tags["histograms"]
        },
    }
json.dump(found, sys.stdout)
