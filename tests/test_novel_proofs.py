"""Anchors of novel games, and the proofs that the games are honest: each holds, and fails where it should."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from cortex.envs.novel_game import anchors as kept
from cortex.envs.novel_game.anchors import anchors, area, areas
from cortex.envs.novel_game.generate import Game
from cortex.envs.novel_game.spec import SPLITS, Setting
from cortex.types import CortexError
from experiments import prove_games
from experiments.proofs import floors, honesty, learners, probe
from experiments.proofs.claims import Family, Proof, believed, goal, median
from experiments.proofs.solutions import solution

SEEDS = range(600, 612)
TRIVIAL = Family("trivial", Setting(1, 0, 7, mechanics=("toggle", "carry", "tool"), walks=1.0))
BUMPED = range(40)
"""Seeds among which there are trivial games that are won by walking against a thing."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing is kept from one test to another."""
    monkeypatch.setenv("CORTEX_CACHE", str(tmp_path))
    kept._kept.clear()
    yield tmp_path / "anchors"
    kept._kept.clear()


@pytest.fixture(scope="module")
def family() -> Family:
    return Family.of(5)


@pytest.fixture(scope="module")
def games(family: Family) -> list[Game]:
    return family.games(SEEDS)


def bumped(count: int) -> list[Game]:
    """Games that are won by walking against the only thing that lies about."""
    return [game for game in TRIVIAL.games(BUMPED) if game.spec.signature[-1] == "toggle"][:count]


def forget_memory() -> None:
    kept._kept.clear()


# Anchors


def test_anchors_are_what_known_players_reach(games: list[Game]) -> None:
    found = [anchors(game, level=1) for game in games[:6]]
    assert all(set(each) == {"random", "constant", "walk", "solver", "learner", "h"} for each in found)
    assert np.mean([each["solver"] for each in found]) > 0.95
    assert max(max(each["random"], each["constant"], each["walk"]) for each in found) < 0.2
    assert np.mean([each["learner"] for each in found]) > 0.6
    assert all(games[0].optimal / 3 < each["h"] < 20 * games[0].setting.limit for each in found)


def test_constant_actions_do_better_than_random_ones_where_anything_does() -> None:
    found = [anchors(game, level=1) for game in bumped(6)]
    gain = np.array([each["constant"] - each["random"] for each in found])
    assert gain.mean() > 0.01 and found[0]["random"] > 0.3


def test_anchors_are_kept_on_disk_and_the_same_when_computed_anew(games: list[Game], cache: Path) -> None:
    first = anchors(games[0], level=1)
    forget_memory()
    (path,) = cache.glob("*.json")
    path.write_text(json.dumps({**first, "walk": 0.5}))
    assert anchors(games[0], level=1)["walk"] == 0.5
    for damaged in (b"", b"{", b"[1]", b'"h"', json.dumps({**first, "h": float("nan")}).encode(), b"\xff\xfe"):
        forget_memory()
        path.write_bytes(damaged)
        assert anchors(games[0], level=1) == first
        assert json.loads(path.read_text()) == first
    assert [*cache.iterdir()] == [path]


def test_anchors_need_no_place_on_disk(games: list[Game], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.joinpath("file").write_text("")
    monkeypatch.setenv("CORTEX_CACHE", str(cache.parent / "file"))
    assert anchors(games[0], level=1)["solver"] > 0.9


def test_all_levels_weigh_by_their_number() -> None:
    game = Family.of(0).games([3])[0]
    whole, each = anchors(game), [anchors(game, level=level) for level in (1, 2, 3, 4)]
    for name in ("random", "constant", "walk", "solver", "learner"):
        assert whole[name] == pytest.approx(sum(n * found[name] for n, found in enumerate(each, 1)) / 10)
    assert whole["h"] == each[0]["h"] < each[3]["h"]


def test_another_setting_or_view_has_its_own_anchors(games: list[Game]) -> None:
    game = games[1]
    short = replace(game, setting=replace(game.setting, limit=3))
    assert anchors(short, level=1)["solver"] < anchors(game, level=1)["solver"]
    wide = [anchors(game, level=1)["h"] for game in games[:6]]
    near = [anchors(game, level=1, view="ego")["h"] for game in games[:6]]
    assert np.log(np.divide(near, wide)).mean() > 0


def test_the_area_is_the_mean_success_of_the_episode_that_ended_last() -> None:
    ends, wins = np.array([3, 5, 9]), np.array([False, True, True])
    assert area(ends, wins, 10) == pytest.approx(0.5)
    assert area(ends, wins, 7) == pytest.approx(2 / 7)
    assert area(ends, wins, 2) == 0


def test_learning_covers_more_area_than_chance(games: list[Game]) -> None:
    found = np.array([areas(game, 400) for game in games[:6]])
    assert (found[:, 1] > found[:, 0]).mean() > 0.7 and found.min() >= 0 and found.max() <= 1
    assert areas(games[0], 1) == (0, 0)
    forget_memory()
    assert areas(games[0], 400) == tuple(found[0])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"level": 5}, "levels 1 to 4"), ({"view": "all"}, "full, ego"), ({"episodes": 3}, "say too little")],
)
def test_what_anchors_do_not_know_is_refused(games: list[Game], wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(CortexError, match=says):
        anchors(games[0], **wrong)
    if "episodes" not in wrong:
        with pytest.raises(CortexError, match=says):
            areas(games[0], 10, **wrong)
    with pytest.raises(CortexError, match="no area"):
        areas(games[0], 0)


# Proofs about players


def test_games_are_hard_for_who_does_not_look_and_trivial_ones_are_not(family: Family) -> None:
    for proof in floors.blind("5", floors.survey(family, SEEDS, lives=1)):
        assert proof.holds, proof
    for proof in floors.blind("trivial", floors.survey(TRIVIAL, [game.seed for game in bumped(6)], lives=1)):
        assert not proof.holds, proof


def test_memorised_actions_serve_only_in_the_same_layouts(family: Family, games: list[Game]) -> None:
    assert floors.memoriser(family, family.games(range(600, 640)), range(12), range(1000, 1060)).holds
    same = floors.memoriser(family, games, [1], [1, 1])
    assert not same.holds and same.figures["mean"] > 0.9


def test_another_games_rules_do_not_serve_and_the_own_do(family: Family, games: list[Game]) -> None:
    assert floors.misled(family, games, games[1:] + games[:1], 4).holds
    own = floors.misled(family, games, games, 4)
    assert not own.holds and own.figures["mean"] > 0.95


def test_rules_believed_of_another_game_keep_this_games_ground(games: list[Game]) -> None:
    rules, game = believed(games[1], games[0]), games[0].tables
    for name in ("ground", "moves", "look", "things"):
        np.testing.assert_array_equal(rules[name], game[name])
    for code in game["ground"][:3]:
        np.testing.assert_array_equal(rules["act"][0, code], game["act"][0, code])
    assert not np.array_equal(rules["act"], game["act"])


def test_the_scale_runs_from_who_never_learns_to_the_solver(
    family: Family, games: list[Game], monkeypatch: pytest.MonkeyPatch
) -> None:
    idle, solver = floors.scaled(family, games[:6], episodes=200, solved=4)
    assert idle.holds and solver.holds
    once = iter([0.0, 0.2, 0.0, 0.3] * 3)
    monkeypatch.setattr(floors, "_constant", lambda *_: next(once))
    idle, _ = floors.scaled(family, games[:6], solved=2)
    assert not idle.holds and idle.figures["mean"] == pytest.approx(0.25)


def test_classes_lie_in_their_bands_and_not_in_others() -> None:
    rows = floors.survey(Family.of(3), SEEDS, lives=2)
    assert floors.in_band(3, rows).holds
    assert not floors.in_band(6, rows).holds and not floors.in_band(9, rows).holds
    assert floors.learnable("3", rows).holds
    assert not floors.learnable("3", [{**row, "early": 0.4} for row in rows]).holds


def test_a_median_of_many_games_has_to_lie_inside() -> None:
    values = np.concatenate([np.full(501, 5.0), np.full(499, 7.0)])
    few = values[::50]
    assert not learners.paced(TRIVIAL, values, 7).holds
    assert learners.paced(TRIVIAL, few, 7).holds == (median(few)["high"] >= 0.85 * 7)


def test_harder_is_harder_only_where_it_is() -> None:
    rows = [row for d in (0, 2, 4) for row in floors.survey(Family.of(d), SEEDS, lives=1)]
    assert floors.harder(rows).holds
    assert not floors.harder([{**row, "family": str(9 - int(row["family"]))} for row in rows]).holds
    # What only follows the last stage is no trend within strata.
    alone = [{"family": str(d), "last": str(d), "h": 10.0 * d + n} for d in range(5) for n in range(5)]
    assert not floors.harder(alone).holds


def test_nothing_taken_from_the_learner_helps_it() -> None:
    family = learners.chain(2, 3)
    games = family.games(range(700, 716))
    proofs = learners.ablations(family, games)
    assert [proof.holds for proof in proofs] == [True] * 3, proofs
    assert proofs[1].figures["low"] > 1, "who ignores goals must pay for it"
    alone = learners.lives(games)
    assert not learners.admissible("chain", "is hurried", alone, 0.8 * alone).holds
    assert learners.admissible("chain", "is the same", alone, alone).holds


def test_who_has_read_the_rules_wins_earlier() -> None:
    games = learners.chain(2, 3).games(range(700, 716))
    untold, told = learners.lives(games), learners.lives(games, told=True)
    assert learners.served("chain", untold, told).holds
    assert not learners.served("chain", untold, untold).holds


def test_more_decoys_slow_the_learner_down() -> None:
    few, many = (learners.lives(learners.chain(2, decoys).games(range(700, 740))) for decoys in (0, 6))
    assert learners.slowed(few, many).holds
    assert not learners.slowed(many, few).holds and not learners.slowed(few, few).holds


# Proofs about the public environment


class Told(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that says too much."""

    def reset(self, **given: Any) -> tuple[Any, dict[str, Any]]:
        seen, info = super().reset(**given)
        return seen, {**info, "hints": {"level": 1}}


class Grained(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment whose noise tells the goal."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(honesty.body(**settings))
        self.code = goal(Family.of(2).games([settings["game_seed"]])[0])

    def reset(self, **given: Any) -> tuple[Any, dict[str, Any]]:
        seen, info = super().reset(**given)
        return {**seen, "noise": np.append(seen["noise"][1:], np.uint8(self.code))}, info


def another(**settings: Any) -> Any:
    """Another game than was asked for."""
    return honesty.body(**{**settings, "game_seed": settings["game_seed"] + 1})


def another_with_noise(**settings: Any) -> Any:
    """A game that depends on its noise."""
    return honesty.body(**{**settings, "game_seed": settings["game_seed"] + (settings["noise"] > 0)})


def test_the_solvers_return_replays_in_its_own_game_alone(family: Family, games: list[Game]) -> None:
    assert honesty.replayed(family, games[:4], range(2)).holds
    assert not honesty.replayed(family, games[:4], range(2), make=another).holds


def test_levels_that_can_not_be_won_are_noticed(family: Family, games: list[Game]) -> None:
    assert honesty.solvable(family, games[:4]).holds
    hurried = replace(family, setting=replace(family.setting, limit=2))
    assert not honesty.solvable(hurried, games[:4]).holds
    crowded = replace(family, setting=replace(family.setting, size=4))
    proof = honesty.solvable(crowded, games[:2], range(1))
    assert not proof.holds and proof.figures["unlaid"] == 8


def test_a_solution_is_the_same_each_time_and_another_in_another_layout(family: Family, games: list[Game]) -> None:
    terms = family.terms()
    assert solution(games[0], terms, 1) == solution(games[0], terms, 1)
    assert len({tuple(solution(games[0], terms, seed)[0]) for seed in range(6)}) > 3


def test_what_the_environment_tells_too_much_is_found(family: Family) -> None:
    assert honesty.untold(family, SEEDS[:2]).holds
    leaky = honesty.untold(family, SEEDS[:1], make=lambda **kind: Told(honesty.body(**kind)), steps=5)
    assert not leaky.holds and leaky.figures["extra"] == ["hints", "level"]


def test_many_bodies_are_compared_bit_for_bit(family: Family) -> None:
    assert honesty.alike(family, SEEDS[:3], steps=150).holds
    assert not honesty.alike(family, SEEDS[:3], single=another, steps=5).holds


def test_anchors_that_move_with_noise_are_found() -> None:
    assert honesty.unmoved(Family.of(2), SEEDS[:1]).holds
    assert not honesty.unmoved(Family.of(2), SEEDS[:1], make=another_with_noise).holds


def test_held_out_rules_are_apart(family: Family) -> None:
    games = {split: family.games(SEEDS, split) for split in SPLITS}
    assert honesty.apart(family, games).holds
    assert not honesty.apart(family, {**games, "T2": games["train"]}).holds
    assert not honesty.apart(family, {**games, "T1": games["T4"]}).holds


def test_a_probe_finds_what_is_told_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    labels, bits = rng.integers(4, size=200), rng.integers(2, size=(200, 30))
    assert probe.probe("toy", "noise", bits, labels).holds
    bits[:, 7] = np.where(rng.random(200) < 0.7, labels > 1, bits[:, 7])
    assert not probe.probe("toy", "noise", bits, labels).holds


def test_noise_tells_neither_goal_nor_action_unless_it_is_leaky() -> None:
    family = Family.of(2)
    games = family.games(range(800, 860))
    honest = probe.probes("2", "fresh", honesty.samples(family, games, "fresh", 2), 10)
    assert {re.sub("probe of | is at chance", "", proof.name) for proof in honest} == {
        f"{what} to {whither}" for what in ("fresh noise", "ids", "timing") for whither in ("action", "goal")
    }
    assert all(proof.holds for proof in honest if "timing" not in proof.name), honest
    leaky = probe.probes("2", "texture", honesty.samples(family, games, "texture", 2, make=Grained), 10)
    assert not next(proof for proof in leaky if "goal" in proof.name).holds


# The command

TINY = prove_games.Size(2, 1, chained=4, ablated=3, played=3, probed=16, controls=4, shown=1, ruled=6, some=(2,))


def test_all_proofs_are_gathered() -> None:
    proofs = prove_games.prove(TINY, 900)
    named = {(proof.name, proof.family) for proof in proofs}
    assert len(named) == len(proofs)
    assert {family for name, family in named if name == "median h in its band"} == set("0123456789")
    assert {family for name, family in named if name == "random below 0.2"} == set("23456789")
    certain = ("vectorised equals single", "nothing is told beside the senses", "held-out rules are apart")
    certain += ("anchors do not move with noise", "the solver's return replays")
    assert all(proof.holds for proof in proofs if proof.name in certain)
    assert {proof.name for proof in proofs} > set(certain)


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["prove_games", *words])
    with pytest.raises(SystemExit) as left:
        prove_games.main()
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_command_fails_where_a_proof_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for holds in (True, False):
        proof = Proof("claim", "2", holds, {"mean": 0.5})
        monkeypatch.setattr(prove_games, "prove", lambda *_, proof=proof: [proof])
        assert command(monkeypatch, "--quick", "--out", str(tmp_path / "proofs.csv")) == (not holds)
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert told["holds"] is holds and told["failed"] == ([] if holds else ["claim (2)"])
        assert f"claim,2,{holds}" in (tmp_path / "proofs.csv").read_text()


def test_the_command_times_the_generator(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(monkeypatch, "--generate", "20:30", "--difficulty", "5") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["games"] == 10 and told["games_per_second"] > 1 and told["solvable"] == 1
    for wrong in ("3", "5:5", "a:b"):
        assert command(monkeypatch, "--generate", wrong) == 2
        assert "A:B" in capsys.readouterr().err
