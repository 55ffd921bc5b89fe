"""JAX's training steps beside driftless's; see common.py.

    python jax_peer.py --nets paper --threads 1,2 --count 5

    jax-jit        a jitted call a step, its state donated
    jax-scan       a hundred steps in one call, by lax.scan (wide net: four)
    jax-vmap       the same with six replicas by vmap (paper net, BenchmarkCompare)
    jax-processes  jax-scan in a process a processor

It has no networks with convolutions. Batches are taken inside the call by the step's number, so nothing crosses to the
device between steps. Unrolling the scan did not make it faster, nor did vmap
outside the scan instead of inside.
"""

import functools

import common

IMPLS = ["jax-jit", "jax-scan", "jax-vmap", "jax-processes"]
CHUNKS = {"jax-jit": 1, "jax-scan": 100, "jax-vmap": 100, "jax-processes": 100}

# XLA sizes its thread pool by the processors that it may run on.
args, worker = common.start(IMPLS, pin=True, nets=[n for n, net in common.NETS.items() if not net.convs])

import jax  # noqa: E402: only in a process that runs things
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402

jax.config.update("jax_platforms", "cpu")


class Trainer:
    def __init__(self, task, impl, chunk):
        self.chunk = chunk
        self.images, self.labels = arrays(task)
        self.carry = [initial(task, w) for w in task.weights]
        self.order = jnp.asarray(np.array(task.order, np.int32).reshape(task.replicas, -1, task.net.batch))
        many = impl == "jax-vmap"
        if many:
            self.carry = jax.tree.map(lambda *xs: jnp.stack(xs), *self.carry)
        else:
            self.carry, self.order = self.carry[0], self.order[0]
        self.call = caller(task.net, task.lr, chunk, many)

    def run(self, n):
        for _ in range(n // self.chunk):
            self.carry, loss = self.call(self.carry, self.order, self.images, self.labels)
        jax.block_until_ready((self.carry, loss))
        return np.atleast_1d(loss).tolist()

    def state(self):
        stats = self.carry[1]
        return [float(s.mean()) for s in stats[-1]] if stats else []


def initial(task, weights):
    """Returns weights and biases, gammas and betas, running statistics, step."""
    linear = [
        (jnp.asarray(np.frombuffer(raw, np.float32).reshape(b, a).T.copy()), jnp.zeros(b))
        for a, b, raw in zip(task.net.sizes, task.net.sizes[1:], weights)
    ]
    hidden = task.net.hidden if task.norm == "batchnorm" else ()
    scales = [(jnp.ones(h), jnp.zeros(h)) for h in hidden]
    stats = [(jnp.zeros(h), jnp.ones(h)) for h in hidden]
    return (linear, scales), stats, jnp.int32(0)


@functools.cache  # compiled once, whatever the input
def caller(net, lr, chunk, many):
    """Returns a function that runs chunk steps and returns the last loss. Many
    replicas step side by side."""

    def loss_of(params, x, y):
        """Returns the mean cross-entropy, and means and variances of the batch."""
        (linear, scales), stats = params, []
        act = jax.nn.sigmoid if net.activation == "sigmoid" else jax.nn.relu
        for i, (w, b) in enumerate(linear[:-1]):
            x = x @ w + b
            if scales:
                gamma, beta = scales[i]
                mean = x.mean(0)
                var = jnp.square(x - mean).mean(0)
                x = (x - mean) * (lax.rsqrt(var + common.EPSILON) * gamma) + beta
                stats.append((mean, var))
            x = act(x)
        w, b = linear[-1]
        logp = jax.nn.log_softmax(x @ w + b)
        # A comparison, not a gather: its gradient needs no scatter.
        return -jnp.where(y[:, None] == jnp.arange(common.CLASSES), logp, 0).sum() / len(y), stats

    def step(carry, order, images, labels):
        params, stats, t = carry
        rows = lax.dynamic_index_in_dim(order, t % len(order), keepdims=False)
        x = images.at[rows].get(mode="promise_in_bounds")
        y = labels.at[rows].get(mode="promise_in_bounds")
        (loss, batch), grads = jax.value_and_grad(loss_of, has_aux=True)(params, x, y)
        params = jax.tree.map(lambda p, g: p - lr * g, params, grads)
        m, n = common.MOMENTUM, len(y)
        stats = [
            ((1 - m) * mean + m * bm, (1 - m) * var + m * n / (n - 1) * bv)
            for (mean, var), (bm, bv) in zip(stats, batch)
        ]
        return (params, stats, t + 1), loss

    if many:
        step = jax.vmap(step, in_axes=(0, 0, None, None))

    def steps(carry, order, images, labels):
        carry, losses = lax.scan(lambda c, _: step(c, order, images, labels), carry, length=chunk)
        return carry, losses[-1]

    return jax.jit(step if chunk == 1 else steps, donate_argnums=0)


def arrays(task):
    shape = (common.ROWS, common.INPUTS)
    labels = jnp.asarray(np.frombuffer(task.labels, np.uint8).astype(np.int32))
    if not task.dense:
        return jnp.asarray(np.frombuffer(task.images, np.uint8).reshape(shape).astype(np.float32)), labels
    raw = np.frombuffer(task.images, np.int32) & common.UNIFORM_MASK
    return jnp.asarray((raw * np.float32(common.UNIFORM_SCALE)).astype(np.float32).reshape(shape)), labels


common.finish(args, worker, f"jax {jax.__version__}", Trainer, CHUNKS)
