"""Prove that novel games are honest: floors, ceilings, difficulty, held-out rules, an environment that tells nothing.

Every proof answers with figures and whether it holds; the exit code is 1 where one does not. With ``--generate`` the
games of some seeds are generated and solved instead, and the generator is timed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from experiments import common

COLUMNS = ("proof", "family", "holds", "figures")
FIRST = 1_000_000
"""Game seeds begin here: those below are for design."""

CHUNK = 20
"""Games that one process surveys at a time."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many games each proof takes, and which classes of difficulty the costly ones are shown on."""

    games: int  # surveyed in each class
    lives: int  # of the reference learner in each of them
    chained: int  # games of each chain
    ablated: int
    played: int  # games in which players play
    probed: int
    controls: int  # permutations of the labels of each probe
    shown: int  # games of which every bit is compared
    ruled: int  # games of each split
    some: tuple[int, ...]


QUICK = Size(
    games=16, lives=2, chained=60, ablated=8, played=12, probed=60, controls=12, shown=2, ruled=24, some=(2, 5)
)


def full(games: int) -> Size:
    """The size of proofs that are kept, with so many games in each class."""
    return Size(
        games, 8, games, min(games, 200), min(games, 200), min(games, 300), 30, 8, min(games, 200), tuple(range(2, 10))
    )


Job = tuple[Callable[..., Any], tuple[Any, ...]]


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="prove_games.csv", seeds=1)
    line.add_argument("--games", type=int, default=1000, help="games of each difficulty and seed")
    line.add_argument("--first", type=int, default=FIRST, help="the first game's seed")
    line.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1), help="processes at once")
    line.add_argument("--generate", metavar="A:B", help="generate and solve the games of these seeds, no more")
    line.add_argument("--difficulty", type=int, default=3, help="of the games to generate")
    options = common.read(line)
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[threads] = "1"  # read by the processes that are spawned
    if options.generate:
        begin, _, end = options.generate.partition(":")
        if not (begin.isdecimal() and end.isdecimal() and int(begin) < int(end)):
            line.error(f"--generate {options.generate} names no seeds; A:B with A below B would do")
        found = generated(range(int(begin), int(end)), options.difficulty)
        common.last_line({"experiment": "prove_games", **found})
        sys.exit(0 if found["solvable"] == 1 else 1)
    if min(options.games, options.seeds, options.processes) < 1:
        line.error("--games, --seeds and --processes are whole numbers from 1")
    size = QUICK if options.quick else full(options.games * options.seeds)
    proofs = prove(size, options.first, options.processes)
    rows = [
        {"proof": p.name, "family": p.family, "holds": p.holds, "figures": json.dumps(p.figures, default=float)}
        for p in proofs
    ]
    common.write_csv(options.out, rows, COLUMNS)
    failed = [f"{proof.name} ({proof.family})" for proof in proofs if not proof.holds]
    common.last_line(
        {
            "experiment": "prove_games",
            "quick": options.quick,
            "out": str(options.out),
            "games": size.games,
            "holds": not failed,
            "failed": failed,
            "proofs": [
                {"proof": p.name, "family": p.family, "holds": bool(p.holds), "figures": p.figures} for p in proofs
            ],
        }
    )
    sys.exit(1 if failed else 0)


def generated(seeds: Sequence[int], difficulty: int) -> dict[str, Any]:
    """How fast games are generated from a warm start, and the share of levels whose fresh layout the solver wins."""
    from experiments.proofs import honesty
    from experiments.proofs.claims import Family

    family = Family.of(difficulty)
    honesty.solvable(family, family.games([seeds[-1] + 1]))
    began = time.perf_counter()
    games = family.games(seeds)
    seconds = time.perf_counter() - began
    levels = honesty.solvable(family, games).figures
    solved = [share for name, share in levels.items() if name.startswith("level")]
    told = {"difficulty": difficulty, "games": len(games), "seconds": round(seconds, 3)}
    return {**told, "games_per_second": round(len(games) / seconds, 1), "solvable": sum(solved) / len(solved)}


def prove(size: Size, first: int = FIRST, processes: int = 1) -> list[Any]:
    """All proofs, in the order of their names and families; on stderr as they are found."""
    from experiments.proofs import floors
    from experiments.proofs.claims import Proof

    rows: dict[str, list[Any]] = {}
    proofs: list[Proof] = []
    for answer in _answers(list(_jobs(size, first)), processes):
        for item in answer:
            if isinstance(item, Proof):
                proofs.append(item)
                _say(item)
            else:
                rows.setdefault(item["family"], []).append(item)
    surveyed = [floors.harder([row for found in rows.values() for row in found])]
    for family, found in sorted(rows.items()):
        surveyed += [floors.learnable(family, found), floors.in_band(int(family), found)]
        surveyed += floors.blind(family, found) if int(family) >= 2 else []
    for proof in surveyed:
        _say(proof)
    proofs += surveyed
    return sorted(proofs, key=lambda proof: (proof.name, proof.family))


def _say(proof: Any) -> None:
    told = ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in proof.figures.items())
    common.progress(f"{'holds' if proof.holds else 'FAILS'}: {proof.name} ({proof.family}): {told}")


def _answers(jobs: list[Job], processes: int) -> Iterator[list[Any]]:
    """Do all jobs, the first alone: it compiles what the others then load."""
    yield _do(jobs[0])
    if processes == 1:
        yield from map(_do, jobs[1:])
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(jobs)), mp_context=context) as pool:
        yield from pool.map(_do, jobs[1:])


def _do(job: Job) -> list[Any]:
    call, given = job
    answer = call(*given)
    return answer if isinstance(answer, list) else [answer]


def _jobs(size: Size, first: int) -> Iterator[Job]:
    """What there is to do, in pieces that processes can share."""
    from experiments.proofs import learners

    yield _plays, (size, first, size.some[0])
    for difficulty in range(10):
        for begin in range(0, size.games, CHUNK):
            end = min(begin + CHUNK, size.games)
            yield _survey, (difficulty, range(first + begin, first + end), size.lives)
    for difficulty in size.some[1:]:
        yield _plays, (size, first, difficulty)
    for difficulty in (0, 1):
        yield _shows, (size, first, difficulty)
    for difficulty in size.some:
        yield _shows, (size, first, difficulty)
        yield _probes, (size, first, difficulty)
    yield _splits, (size, first)
    for length, decoys in learners.CHAINS:
        yield _chains, (size, first, length, decoys)
    yield _decoys, (size, first)


def _survey(difficulty: int, seeds: range, lives: int) -> list[Any]:
    from experiments.proofs import floors
    from experiments.proofs.claims import Family

    return floors.survey(Family.of(difficulty), seeds, lives)


def _plays(size: Size, first: int, difficulty: int) -> list[Any]:
    from experiments.proofs import floors
    from experiments.proofs.claims import Family

    family = Family.of(difficulty)
    games = family.games(range(first, first + size.played))
    others = family.games(range(first + size.played, first + 2 * size.played))
    found = [floors.memoriser(family, games), floors.misled(family, games, others)]
    return found + floors.scaled(family, games)


def _shows(size: Size, first: int, difficulty: int) -> list[Any]:
    from experiments.proofs import honesty
    from experiments.proofs.claims import Family

    family, seeds = Family.of(difficulty), range(first, first + size.shown)
    games = family.games(range(first, first + size.played))
    return [
        honesty.replayed(family, games),
        honesty.solvable(family, games),
        honesty.untold(family, seeds),
        honesty.alike(family, seeds),
        honesty.unmoved(family, seeds),
    ]


def _probes(size: Size, first: int, difficulty: int) -> list[Any]:
    from experiments.proofs import honesty, probe
    from experiments.proofs.claims import Family

    family = Family.of(difficulty)
    games = family.games(range(first, first + size.probed))
    return [
        found
        for kind in ("fresh", "predictable", "texture", "controllable")
        for found in probe.probes(family.name, kind, honesty.samples(family, games, kind), size.controls)
    ]


def _splits(size: Size, first: int) -> Any:
    from experiments.proofs import honesty
    from experiments.proofs.claims import Family

    family, seeds = Family.of(5), range(first, first + size.ruled)
    return honesty.apart(family, {split: family.games(seeds, split) for split in honesty.SPLITS})


def _chains(size: Size, first: int, length: int, decoys: int) -> list[Any]:
    from experiments.proofs import learners

    family = learners.chain(length, decoys)
    games = family.games(range(first, first + size.chained))
    some = games[: size.ablated]
    alone = learners.lives(games)
    told = learners.lives(some, told=True)
    return [
        learners.paced(family, alone, learners.CHAINS[length, decoys]),
        learners.served(family.name, alone[: size.ablated], told),
        *learners.ablations(family, some),
    ]


def _decoys(size: Size, first: int) -> Any:
    from experiments.proofs import learners

    seeds = range(first, first + size.chained)
    few, many = (learners.lives(learners.chain(2, decoys).games(seeds)) for decoys in (0, 6))
    return learners.slowed(few, many)


if __name__ == "__main__":
    main()
