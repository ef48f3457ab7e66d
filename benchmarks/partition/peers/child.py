"""``python -m benchmarks.partition.peers.child JOB RESULT``: one peer, one seed, one instance."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np

from benchmarks.children import limit_cpu, read_job, write_job
from benchmarks.partition.parts import unpack_parts
from benchmarks.timing import measure_time

SHARE = 0.8  # of the limit that a peer which can be told when to stop may use


def main(job: str, result: str) -> None:
    """Load the peer, then cut every part, timed and limited."""
    arrays, facts = read_job(Path(job))
    parts = unpack_parts(arrays)
    module, name = facts["function"].split(":")
    cut = getattr(importlib.import_module(module), name)
    size = sum(part.size for part in parts)
    limit_cpu(facts["cpu_s"])
    labels = []
    with measure_time() as watch:
        for part in parts:
            budget = SHARE * facts["cpu_s"] * part.size / size
            labels.append(np.asarray(cut(part, facts["seed"], budget, **facts["options"]))
                          if part.count > 1 else np.zeros(part.size, np.int64))
    write_job(Path(result), {"labels": np.concatenate(labels)},
              {"cpu_s": watch.cpu_s, "wall_s": watch.wall_s})


if __name__ == "__main__":
    main(*sys.argv[1:])
