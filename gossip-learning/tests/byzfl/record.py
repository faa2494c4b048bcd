"""Records what ByzFL's aggregators make of random vectors, for tests/byzfl.rs.

    pip install byzfl==0.0.11 --no-deps && pip install numpy scipy
    python record.py > vectors.json

ByzFL imports torch, but its aggregators run on numpy: empty modules in torch's place will do. It has no Bulyan, so
that rule is written down here from the paper (El Mhamdi, Guerraoui, Rouault 2018), by sets and without optimisation.
"""

import json
import sys
import types
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

import numpy as np

torch = types.ModuleType("torch")
torch.Tensor = type("Tensor", (), {})
torch.linalg = types.ModuleType("torch.linalg")
sys.modules |= {"torch": torch, "torch.linalg": torch.linalg}
# ByzFL's own __init__ would import its training code: only the folder is needed.
byzfl = types.ModuleType("byzfl")
byzfl.__path__ = list(find_spec("byzfl").submodule_search_locations)
byzfl.__spec__ = ModuleSpec("byzfl", None, is_package=True)
sys.modules["byzfl"] = byzfl

from byzfl.aggregators import aggregators, preaggregators  # noqa: E402


def bulyan(vectors, f):
    left, chosen = list(range(len(vectors))), []
    while len(chosen) < len(vectors) - 2 * f:
        def score(i):
            near = sorted(np.sum((vectors[i] - vectors[j]) ** 2) for j in left if j != i)
            return sum(near[: max(len(left) - f - 2, 1)])
        best = min(left, key=score)
        left.remove(best)
        chosen.append(best)
    picked, median = vectors[chosen], np.median(vectors[chosen], axis=0)
    keep = len(chosen) - 2 * f
    nearest = np.argsort(np.abs(picked - median), axis=0, kind="stable")[:keep]
    return np.take_along_axis(picked, nearest, axis=0).mean(axis=0)


def clipped(vectors, radius):
    clipping = aggregators.CenteredClipping(L=1, tau=radius)
    clipping.m = vectors[0]
    with np.errstate(divide="ignore"):
        return clipping(vectors)


random = np.random.default_rng(2302)
cases = []
for n, f, d in [(7, 1, 3), (11, 2, 5), (11, 2, 8), (15, 3, 4), (9, 1, 1), (12, 2, 6)]:
    vectors = random.normal(size=(n, d))
    vectors[n - f:] = 5 * random.normal(size=(f, d)) + 3
    vectors = vectors.astype(np.float32).astype(np.float64)
    mixed = preaggregators.NNM(f)(vectors)
    cases.append({
        "byzantine": f,
        "vectors": vectors.tolist(),
        "expected": {
            "mean": aggregators.Average()(vectors).tolist(),
            "median": aggregators.Median()(vectors).tolist(),
            "trimmed-mean": aggregators.TrMean(f)(vectors).tolist(),
            "krum:short=1": aggregators.Krum(f)(vectors).tolist(),
            "multi-krum:short=1": aggregators.MultiKrum(f)(vectors).tolist(),
            "geometric-median:smoothing=0.01,steps=200":
                aggregators.GeometricMedian(nu=0.01, T=200)(vectors).tolist(),
            "clip:radius=1.5": clipped(vectors, 1.5).tolist(),
            "bulyan:short=2": bulyan(vectors, f).tolist(),
            "nnm+trimmed-mean": aggregators.TrMean(f)(mixed).tolist(),
            "nnm+krum:short=1": aggregators.Krum(f)(mixed).tolist(),
            "nnm+geometric-median:smoothing=0.01,steps=200":
                aggregators.GeometricMedian(nu=0.01, T=200)(mixed).tolist(),
        },
    })
json.dump(cases, sys.stdout, indent=None, separators=(",", ":"))
