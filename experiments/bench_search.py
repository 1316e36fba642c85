"""Gumbel search beside mctx: simulations a second in one run, on one core, with one learned model of the same weights.

The model is a residual network over latents of 64 numbers with 128 hidden units and heads for reward, value and prior.
Ours is searched phase by phase, the candidates of a round of halving in one batch, the network in numpy; mctx is
compiled as a whole by JAX. The least of many decisions counts, the two sides taking turns, both by the clock
and by the processor time of all threads, which other work on the machine disturbs less and which leaves out what one
thread waits for another. Without JAX ours is timed alone: pip install -e '.[bench]' -c constraints.txt.
"""

from __future__ import annotations

import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # before numpy counts the cores
    os.environ[threads] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
if hasattr(os, "sched_setaffinity"):  # JAX counts the cores that it may use
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import importlib.util  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from cortex.modules import gumbel  # noqa: E402
from experiments import common  # noqa: E402

LATENT, HIDDEN, DISCOUNT = 64, 128, 0.97
COLUMNS = (
    "side", "seed", "bodies", "simulations", "actions", "simulations_per_second", "decision_ms", "processor_ms",
    "network", "tree", "ratio", "processor_ratio",
)  # fmt: skip
Weights = dict[str, np.ndarray[Any, np.dtype[np.float32]]]


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="bench_search.csv", seeds=3)
    line.add_argument("--bodies", type=int, nargs="+", default=[1, 32, 256], help="trees searched at once")
    line.add_argument("--simulations", type=int, default=16, help="simulations of a tree")
    line.add_argument("--actions", type=int, nargs="+", default=[2, 6, 18], help="actions of a node")
    line.add_argument("--seconds", type=float, default=1.0, help="how long each side is timed a case")
    options = common.read(line)
    if options.quick:
        options.seeds, options.seconds, options.actions = 1, min(options.seconds, 0.1), options.actions[:1]
    beside = all(importlib.util.find_spec(name) for name in ("jax", "mctx"))
    if not beside:
        common.progress("JAX or mctx is not installed: ours is timed alone")
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        for actions in options.actions:
            for bodies in options.bodies:
                rows += measure(seed, bodies, options.simulations, actions, options.seconds, beside)
                common.write_csv(options.out, rows, COLUMNS)
                for row in rows[-1 - beside :]:
                    common.progress(describe(row))
    ratios = {
        name: {
            f"B={bodies} A={actions}": round(float(np.median(found)), 2)
            for actions in options.actions
            for bodies in options.bodies
            if (found := [r[name] for r in rows if r[name] and (r["bodies"], r["actions"]) == (bodies, actions)])
        }
        for name in ("ratio", "processor_ratio")
    }
    common.last_line({"experiment": "bench_search", "quick": options.quick, "out": str(options.out), **ratios})


def measure(
    seed: int, bodies: int, simulations: int, actions: int, seconds: float, beside: bool
) -> list[dict[str, Any]]:
    """One case of both sides: what is timed is a whole decision of all bodies, compiled before."""
    draw = np.random.default_rng(seed)
    weights = network(actions, draw)
    roots = draw.normal(size=(bodies, LATENT)).astype(np.float32)
    decide = {"ours": ours(weights, roots, simulations, draw)}
    if beside:
        decide["mctx"] = theirs(weights, roots, simulations, seed)
    whole = quickest([decide[side][0] for side in decide], seconds)
    inner = quickest([decide[side][1] for side in decide], seconds / 2)
    (wall, processor), (_, within) = whole.T, inner.T
    return [
        {
            "side": side,
            "seed": seed,
            "bodies": bodies,
            "simulations": simulations,
            "actions": actions,
            "simulations_per_second": round(bodies * simulations / wall[at]),
            "decision_ms": wall[at] * 1e3,
            "processor_ms": processor[at] * 1e3,
            "network": min(1.0, within[at] / processor[at]),
            "tree": max(0.0, 1 - within[at] / processor[at]),
            "ratio": wall[1] / wall[0] if beside and at == 0 else None,
            "processor_ratio": processor[1] / processor[0] if beside and at == 0 else None,
        }
        for at, side in enumerate(decide)
    ]


def quickest(calls: list[Callable[[], object]], seconds: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Least seconds that each call takes, taking turns: by the clock and of the processor, [calls, 2]."""
    best = np.full((len(calls), 2), np.inf)
    for call in calls:
        call()
    began = time.perf_counter()
    while time.perf_counter() - began < seconds * len(calls):
        for number, call in enumerate(calls):
            start = time.perf_counter(), time.process_time()
            call()
            spent = time.perf_counter() - start[0], time.process_time() - start[1]
            best[number] = np.minimum(best[number], spent)
    return best


def network(actions: int, draw: np.random.Generator) -> Weights:
    """Random weights of the dynamics and of the heads: reward, value, prior."""
    shapes = {
        "latent": (LATENT, HIDDEN), "action": (actions, HIDDEN), "change": (HIDDEN, LATENT),
        "read": (LATENT, HIDDEN), "heads": (HIDDEN, 2 + actions),
    }  # fmt: skip
    return {name: (draw.normal(size=shape) * shape[0] ** -0.5).astype(np.float32) for name, shape in shapes.items()}


class Network:
    """The learned model in numpy."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def heads(self, latent: Any) -> Any:
        hidden = latent @ self.weights["read"]
        np.maximum(hidden, 0, out=hidden)
        return hidden @ self.weights["heads"]

    def step(self, latent: Any, action: Any) -> gumbel.Step:
        hidden = latent @ self.weights["latent"]
        hidden += self.weights["action"][action]
        np.maximum(hidden, 0, out=hidden)
        after = hidden @ self.weights["change"]
        after += latent
        told = self.heads(after)
        return gumbel.Step(after, told[:, 0], np.full(len(told), DISCOUNT), told[:, 2:], told[:, 1])


def ours(
    weights: Weights, roots: Any, simulations: int, draw: np.random.Generator
) -> tuple[Callable[[], object], Callable[[], object]]:
    """A decision, and the network's part of it alone."""
    model, (bodies, actions) = Network(weights), (len(roots), len(weights["action"]))
    sizes = [count * bodies for _, count in gumbel.rounds(simulations, min(16, actions))]
    batches = [(np.repeat(roots, size // bodies, axis=0), draw.integers(0, actions, size)) for size in sizes]

    def decide() -> object:
        told = model.heads(roots)
        noise = draw.gumbel(size=(bodies, actions))
        return gumbel.search(model, roots, told[:, 2:], told[:, 1], simulations, noise).best

    def inner() -> object:
        model.heads(roots)
        return [model.step(latent, action) for latent, action in batches]

    return decide, inner


def theirs(
    weights: Weights, roots: Any, simulations: int, seed: int
) -> tuple[Callable[[], object], Callable[[], object]]:
    """The same with mctx."""
    import jax
    import mctx
    from jax import numpy as jnp

    bodies, actions = len(roots), len(weights["action"])
    given = {name: jnp.asarray(value) for name, value in weights.items()}
    first = jnp.asarray(roots)

    def heads(params: Any, latent: Any) -> Any:
        return jax.nn.relu(latent @ params["read"]) @ params["heads"]

    def step(params: Any, _: Any, action: Any, latent: Any) -> Any:
        after = latent + jax.nn.relu(latent @ params["latent"] + params["action"][action]) @ params["change"]
        told = heads(params, after)
        discount = jnp.full(len(latent), DISCOUNT)
        return mctx.RecurrentFnOutput(
            reward=told[:, 0], discount=discount, prior_logits=told[:, 2:], value=told[:, 1]
        ), after

    @jax.jit
    def decide(params: Any, key: Any, latent: Any) -> Any:
        told = heads(params, latent)
        root = mctx.RootFnOutput(prior_logits=told[:, 2:], value=told[:, 1], embedding=latent)
        found = mctx.gumbel_muzero_policy(params, key, root, step, simulations)
        return found.action, found.action_weights

    @jax.jit
    def inner(params: Any, action: Any, latent: Any) -> Any:
        def once(_: Any, state: Any) -> Any:
            told, latent = step(params, None, action, state[1])
            return told, latent

        told, latent = step(params, None, action, latent)
        return jax.lax.fori_loop(0, simulations - 1, once, (told, latent))

    action, key, wait = jnp.asarray(np.arange(bodies) % actions), jax.random.PRNGKey(seed), jax.block_until_ready
    return lambda: wait(decide(given, key, first)), lambda: wait(inner(given, action, first))


def describe(row: dict[str, Any]) -> str:
    """One case in words."""
    beside = " ({ratio:.2f} of mctx by the clock, {processor_ratio:.2f} by processor time)" if row["ratio"] else ""
    told = (
        "{side}: B={bodies} n={simulations} A={actions}: {simulations_per_second:,} simulations/s, {decision_ms:.3f} ms"
    )
    return (told + " a decision, {network:.0%} of it in the network" + beside).format(**row)


if __name__ == "__main__":
    main()
