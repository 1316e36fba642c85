"""Whether what should tell nothing tells something: a linear probe against itself with permuted labels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cortex.types import Array
from experiments.proofs.claims import Proof

FOLDS, CONTROLS = 4, 30
SURE = 3.5
"""Standard deviations above its controls at which a probe has found something: one of 4,000 does by chance."""


def probes(family: str, kind: str, samples: dict[str, Any], controls: int = CONTROLS) -> list[Proof]:
    """Probe noise, ids and timing for the solver's next action and for the goal's code; the goal once a game."""
    chosen = samples["chosen"]
    asked = {
        f"{kind} noise to action": (samples["noise"], samples["action"]),
        f"{kind} noise to goal": (samples["first"][chosen], samples["goal"][chosen]),
    }
    if kind == "fresh":
        for name in ("ids", "timing"):
            asked[f"{name} to action"] = samples[name], samples["action"]
            asked[f"{name} to goal"] = samples[name][chosen], samples["goal"][chosen]
    return [probe(family, f"probe of {name} is at chance", *given, controls) for name, given in asked.items()]


def probe(family: str, name: str, features: Array, labels: Array, controls: int = CONTROLS) -> Proof:
    """Cross-validated accuracy of a logistic regression from ``features`` [n, F] to ``labels`` [n], and its controls.

    Controls are the same probe after the labels were permuted (Ojala and Garriga 2010, section 2.2).
    """
    rng = np.random.default_rng(0)
    kept = np.isin(labels, [label for label in np.unique(labels) if (labels == label).sum() >= FOLDS])
    features, labels = features[kept].astype(np.float64), labels[kept]
    features = features[:, features.std(axis=0) > 0]
    found = _accuracy(features, labels)
    chance = np.array([_accuracy(features, rng.permutation(labels)) for _ in range(controls)])
    deviation = max(float(chance.std(ddof=1)), 1 / len(labels))
    above = (found - float(chance.mean())) / deviation
    figures = {"accuracy": found, "control": float(chance.mean()), "deviations": above, "samples": len(labels)}
    return Proof(name, family, above < SURE, figures)


def _accuracy(features: Array, labels: Array) -> float:
    machine = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=100, tol=1e-3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        return float(cross_val_score(machine, features, labels, cv=folds).mean())
