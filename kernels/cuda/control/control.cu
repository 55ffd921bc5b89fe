// control.cu is what ends a step: it records the loss and counts.
#include "../driftless.h"

// tick: with loss at step t, losses[t mod ring] = loss; if the loss is NaN or
// infinite and no earlier one was, diverged = t; step = t+1. diverged is the word
// that nonfinite is, and is written here alone.
KERNEL(32)
tick(CONTROL, TENSOR(const float, loss), TENSOR(float, losses), TENSOR(long long, diverged), TENSOR(long long, step),
     int ring) {
  RETURN_IF_DIVERGED
  if (threadX() == 0) {
    long long *count = REPLICA(step);
    const long long t = *count;
    const float v = *REPLICA(loss);
    REPLICA(losses)[t % ring] = v;
    if (v - v != 0) {
      *REPLICA(diverged) = t;
    }
    *count = t + 1;
  }
}

// begin: copies a replica's words for the instructions of one step: now = step and
// halted = diverged. With halted for their nonfinite and now for their step, the
// instructions after tick still belong to the step that tick ends.
KERNEL(32)
begin(TENSOR(const long long, diverged), TENSOR(const long long, step), TENSOR(long long, halted),
      TENSOR(long long, now)) {
  after_launch_before();
  if (threadX() == 0) {
    *REPLICA(halted) = *REPLICA(diverged);
    *REPLICA(now) = *REPLICA(step);
  }
}
