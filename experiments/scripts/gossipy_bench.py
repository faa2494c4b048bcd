#!/usr/bin/env python3
"""Runs gossipy and `hamlet-lab bench learn` side by side: node updates a second, Spambase, Pegasos MU,
one row a peer, models judged apart.

    python3 -m venv venv
    venv/bin/pip install gossipy-dfl torch 'numpy<2' 'pandas<2.3' 'scikit-learn<1.6'
    venv/bin/python experiments/scripts/gossipy_bench.py target/release/hamlet-lab

gossipy imports torchvision without declaring it and needs none of it here: an empty stand-in is given.
"""

import csv
import gzip
import json
import pathlib
import subprocess
import sys
import time
import types

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "gossip-learning" / "data" / "spambase.csv.gz"
ROUNDS = 5


def rows():
    """Features scaled to mean 0 and deviation 1, labels -1 and +1."""
    import numpy as np

    with gzip.open(DATA, "rt") as file:
        lines = list(csv.reader(file))[1:]
    features = np.array([[float(cell) for cell in line[:-1]] for line in lines], dtype="float32")
    labels = np.array([1.0 if line[-1] == "spam" else -1.0 for line in lines], dtype="float32")
    order = np.random.default_rng(1).permutation(len(lines))
    features, labels = features[order], labels[order]
    return (features - features.mean(0)) / features.std(0), labels


def gossipy_updates_per_s():
    """Peer-rounds of gossipy's simulator: a second of wall time, and a second of processor time."""
    for name in ("torchvision", "torchvision.datasets", "torchvision.transforms"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torchvision"].datasets = sys.modules["torchvision.datasets"]
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]
    import torch
    from gossipy import set_seed
    from gossipy.core import AntiEntropyProtocol, CreateModelMode, StaticP2PNetwork, UniformDelay
    from gossipy.data import DataDispatcher
    from gossipy.data.handler import ClassificationDataHandler
    from gossipy.model.handler import PegasosHandler
    from gossipy.model.nn import AdaLine
    from gossipy.node import GossipNode
    from gossipy.simul import GossipSimulator

    set_seed(1)
    torch.set_num_threads(1)
    features, labels = rows()
    handler = ClassificationDataHandler(
        torch.from_numpy(features), torch.from_numpy(labels), test_size=0.1
    )
    peers = handler.size()
    dispatcher = DataDispatcher(handler, n=peers, eval_on_user=False, auto_assign=True)
    model = PegasosHandler(
        net=AdaLine(handler.size(1)),
        learning_rate=1e-4,
        create_model_mode=CreateModelMode.MERGE_UPDATE,
    )
    nodes = GossipNode.generate(
        data_dispatcher=dispatcher,
        p2p_net=StaticP2PNetwork(peers),
        model_proto=model,
        round_len=100,
        sync=False,
    )
    simulator = GossipSimulator(
        nodes=nodes,
        data_dispatcher=dispatcher,
        delta=100,
        protocol=AntiEntropyProtocol.PUSH,
        delay=UniformDelay(0, 1),
        # One node is judged a round: judging all would take most of the time.
        sampling_eval=1.5 / peers,
    )
    simulator.init_nodes(seed=1)
    wall, cpu = time.perf_counter(), time.process_time()
    simulator.start(n_rounds=ROUNDS)
    done = peers * ROUNDS
    return done / (time.perf_counter() - wall), done / (time.process_time() - cpu)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lab = [sys.argv[1], "bench", "learn", "--data", str(DATA), "--large", "0", "--json", "-"]
    ours = json.loads(subprocess.run(lab, check=True, capture_output=True, text=True).stdout)
    hamlet, hamlet_cpu = ours[0]["peer_rounds_per_s"], ours[0]["peer_rounds_per_cpu_s"]
    gossipy, gossipy_cpu = gossipy_updates_per_s()
    print(
        json.dumps(
            {
                "gossipy_peer_rounds_per_s": round(gossipy),
                "hamlet_peer_rounds_per_s": round(hamlet),
                "ratio": round(hamlet / gossipy, 1),
                # Of the processor time that each got: what other programs took does not count.
                "gossipy_peer_rounds_per_cpu_s": round(gossipy_cpu),
                "hamlet_peer_rounds_per_cpu_s": round(hamlet_cpu),
                "ratio_cpu": round(hamlet_cpu / gossipy_cpu, 1),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
