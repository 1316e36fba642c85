"""The agent finds itself in a view that stays: in games never played before, within a dozen steps, nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import gymnasium
import numpy as np
import pytest

import cortex  # noqa: F401
from cortex.modules.codebook import Codebook
from cortex.modules.context import Context
from cortex.modules.encoders import Senses
from cortex.modules.hippocampus.guises import LEAP, STEPS, STILL, Guises
from cortex.types import TURN, UNSEEN, Array, Motions, Percept, Sensed
from tests.walks import Walk, moved, pairs

ID = "cortex/NovelGame-v0"
ACTIONS, MOVES = 6, 4
UNTAUGHT = np.zeros((ACTIONS, LEAP + 1))
GAMES = range(12)


@dataclass(frozen=True)
class Rows:
    """Steps of random actions in one game, and the truth."""

    position: Array  # [N, 2] of the cells
    before: Array  # [T, N] codes
    after: Array
    action: Array  # [T]
    at: Array  # [T, 2] the true cell before
    then: Array  # [T, 2] and after

    def fit(self, steps: int, usual: Array = UNTAUGHT, held: int = -1) -> Motions | None:
        """What is found from the first steps."""
        return Guises(self.position, ACTIONS).fit(
            self.before[:steps], self.after[:steps], self.action[:steps], usual, held
        )


def random_steps(game: int, difficulty: int, steps: int, order: Array | None = None) -> Rows:
    """The first steps in a game; ``order``: the game's action that each action stands for."""
    env = gymnasium.make(ID, difficulty=difficulty, game_seed=game)
    draw, rows = np.random.default_rng(game), list[tuple[Array, Array, int, Array, Array]]()
    seen, _ = env.reset(seed=game)
    order = np.arange(ACTIONS) if order is None else order
    while len(rows) < steps:
        action = int(draw.integers(ACTIONS))
        after, _, terminated, truncated, _ = env.step(int(order[action]))
        views = [view["grid"][..., 0].ravel().astype(np.int64) for view in (seen, after)]
        rows.append((*views, action, seen["body"][3:5], after["body"][3:5]))
        seen = env.reset()[0] if terminated or truncated else after
    side = seen["grid"].shape[0]
    position = np.stack(np.divmod(np.arange(side**2), side), axis=1)
    return Rows(position, *(np.array(column) for column in zip(*rows, strict=True)))


def own(rows: Rows, views: Array, found: Motions) -> tuple[Array, Array]:
    """The cell [T, 2] in which a schema sees the agent, and its heading [T]."""
    mine = np.isin(views, found.selves[found.selves != UNSEEN])
    assert (mine.sum(axis=1) <= 1).all()
    at = mine.argmax(axis=1)
    shown = views[np.arange(len(views)), at]
    heading = np.equal.outer(shown, found.selves).argmax(axis=1)
    return np.where(np.asarray(mine.any(axis=1))[:, None], rows.position[at], -1), heading


def displaced(rows: Rows) -> Array:
    """The rows [T] in which the agent made a step."""
    return np.asarray(np.abs(rows.then - rows.at).sum(axis=1) == 1)


@pytest.mark.parametrize("difficulty", [1, 3])
def test_the_agent_is_found_within_twelve_steps_of_a_new_game(difficulty: int) -> None:
    right, directions = [], []
    for game in GAMES:
        rows = random_steps(game, difficulty, 60)
        found = rows.fit(12)
        if found is None:
            right.append(np.zeros(12, bool))
            continue
        assert found.resolved and not found.along
        for views, truth in ((rows.before[:12], rows.at[:12]), (rows.after[:12], rows.then[:12])):
            right.append((own(rows, views, found)[0] == truth).all(axis=1))
        went = np.flatnonzero(displaced(rows))
        went = went[went < 12]
        heading = own(rows, rows.before[went], found)[1]
        step = rows.then[went] - rows.at[went]
        directions.append((found.go[heading, rows.action[went]] == step).all(axis=1))
    assert np.concatenate(right).mean() >= 0.95
    assert np.concatenate(directions).all() and len(np.concatenate(directions)) > 30


@pytest.mark.parametrize("difficulty", [1, 3])
def test_what_was_found_holds_for_all_that_follows(difficulty: int) -> None:
    """From 48 steps on: where it is at every later step, where every move leads, and what it faces."""
    for game in GAMES:
        rows = random_steps(game, difficulty, 160)
        found = rows.fit(48)
        assert found is not None, game
        at, heading = own(rows, rows.before, found)
        then, after = own(rows, rows.after, found)
        shown = np.asarray((at >= 0).all(axis=1) & (then >= 0).all(axis=1))
        assert shown.mean() > 0.95, game
        np.testing.assert_array_equal(at[shown], rows.at[shown], err_msg=str(game))
        np.testing.assert_array_equal(then[shown], rows.then[shown], err_msg=str(game))
        went = np.flatnonzero(displaced(rows) & shown & (rows.action < MOVES))
        step = rows.then[went] - rows.at[went]
        pose = np.column_stack([rows.at[went], heading[went]])
        told = moved(pose, rows.action[went], found)
        np.testing.assert_array_equal(told[:, :2] - pose[:, :2], step, err_msg=str(game))
        assert (told[:, 2] == after[went]).mean() > 0.9, game
        np.testing.assert_array_equal(found.reach[heading[went], rows.action[went]], step, err_msg=str(game))
        # Having gone somewhere, it faces there: that is what its other actions reach.
        known = (found.facing[after[went]] != 0).any(axis=1)
        np.testing.assert_array_equal(found.facing[after[went]][known], step[known])
        assert known.mean() > 0.9
        assert (found.go[:, MOVES:] == 0).all(), "to use or to wait takes it nowhere"
        moves = np.unique(rows.action[went])
        assert len(set(found.verb[moves].tolist())) == 1, "moves do the same in each direction"


def test_permuted_actions_are_found_as_they_are() -> None:
    for game in range(6):
        order = np.random.default_rng(game).permutation(ACTIONS)
        rows = random_steps(game, 1, 100, order)
        found = rows.fit(64)
        assert found is not None
        went = displaced(rows)
        for action in np.unique(rows.action[went]):
            step = (rows.then - rows.at)[went & (rows.action == action)]
            assert (step == step[0]).all() and (found.go[:, action] == step[0]).all()


def test_short_term_memory_knows_where_it_is_and_remembers_what_it_hides() -> None:
    for game in range(6):
        env = gymnasium.make(ID, difficulty=1, game_seed=game)
        space = gymnasium.spaces.Dict({"grid": env.observation_space["grid"]})  # type: ignore[index]
        senses, codebook = Senses.for_space(space, unseen=None), Codebook()
        draw, first = np.random.default_rng(game), True
        seen, _ = env.reset(seed=game)
        views, action, poses = [], [], []
        for _ in range(60):
            scene = senses({"grid": seen["grid"][None]})
            views.append(codebook.encode(scene.tokens, scene.mask)[0])
            poses.append(seen["body"][3:5])
            action.append(int(draw.integers(ACTIONS)))
            seen, _, terminated, truncated, _ = env.step(action[-1])
            if terminated or truncated:
                break
        codes = np.array(views)
        found = Guises(senses.layout.position, ACTIONS).fit(codes[:-1], codes[1:], np.array(action[:-1]), UNTAUGHT, -1)
        assert found is not None
        context = Context(senses.layout, codebook, 8, 1000, 0.9, 16, 6, 64)
        carry = context.initial(1)
        last: dict[tuple[int, int], int] = {}
        for view, true in zip(codes, poses, strict=True):
            percept = Percept(np.zeros((1, 8), np.float32))
            sensed = Sensed(context.scene(view[None]), percept, view[None])
            carry, state = context(carry, sensed, np.array([first]), found)
            first = False
            assert state.place is not None and tuple(state.place.pose[0, :2]) == tuple(true)
            for (row, column), code in zip(senses.layout.position.astype(int).tolist(), view.tolist(), strict=True):
                if (row, column) != tuple(true):
                    last[row, column] = code
            here = last.get((int(true[0]), int(true[1])), UNSEEN)
            assert state.place.cells[0, true[0], true[1]] == here
            mine = np.isin(state.place.cells[0], found.selves[found.selves != UNSEEN])
            assert not mine.any(), "the agent is no part of its map"


# Worlds made for one question


FLOOR, BORDER, CRATE, GHOST = 1, 2, 3, 9
SIDE = 7


def wander(seed: int, steps: int, guises: int = 4) -> Rows:
    """A room with the agent, codes 5 on, by heading, and one thing that walks about by itself, at every step."""
    draw = np.random.default_rng(seed)
    heads, order = np.arange(5, 5 + guises), draw.permutation(MOVES)
    position = np.stack(np.divmod(np.arange(SIDE**2), SIDE), axis=1)
    edge = ((position == 0) | (position == SIDE - 1)).any(axis=1).reshape(SIDE, SIDE)
    agent, ghost, heading = np.array([3, 3]), np.array([2, 4]), 0

    def show() -> Array:
        view = np.where(edge, BORDER, FLOOR)
        view[1, 1] = view[5, 2] = CRATE
        view[tuple(ghost)], view[tuple(agent)] = GHOST, heads[heading % guises]
        return view.ravel()

    def free(cell: Array) -> bool:
        return show()[cell[0] * SIDE + cell[1]] == FLOOR

    rows = []
    for _ in range(steps):
        before, at, action = show(), agent, int(draw.integers(ACTIONS))
        if action < MOVES:
            heading = int(order[action])
            step = (TURN[heading] @ [-1, 0]).astype(int)
            agent = agent + step if free(agent + step) else agent
        ways = [cell for turn in TURN if free(cell := ghost + (turn @ [-1, 0]).astype(int))]
        ghost = ways[draw.integers(len(ways))] if ways else ghost
        rows.append((before, show(), action, at, agent))
    return Rows(position, *(np.array(column) for column in zip(*rows, strict=True)))


def growing(rows: Rows, since: int) -> Iterator[tuple[int, Motions | None]]:
    for steps in range(since, len(rows.action) + 1):
        yield steps, rows.fit(steps)


@pytest.mark.parametrize("guises", [1, 4])
def test_what_moves_by_itself_is_not_taken_for_the_agent_once_the_agent_has_moved(guises: int) -> None:
    hasty = asked = 0
    for seed in range(20):
        rows = wander(seed, 40, guises)
        moves = np.flatnonzero(displaced(rows))
        for steps, found in growing(rows, int(moves[0]) + 1):
            taken = found is not None and GHOST in found.selves
            hasty, asked = hasty + taken, asked + 1
            assert not taken or steps <= moves[3], "after its fourth move there is no doubt"
            assert found is not None or steps < 30
    assert hasty <= 0.02 * asked


def test_before_anything_moved_nobody_is_found() -> None:
    rows = wander(0, 9)
    still = np.repeat(rows.before[:1], 9, axis=0)
    guises = Guises(rows.position, ACTIONS)
    assert rows.fit(0) is None
    assert guises.fit(still, still, rows.action, UNTAUGHT, -1) is None


@pytest.fixture(scope="module")
def usual() -> Array:
    """How often each action made each step in four games."""
    total = UNTAUGHT.copy()
    for game in range(4):
        rows = random_steps(game, 1, 64)
        found = rows.fit(64)
        assert found is not None
        counts = Guises(rows.position, ACTIONS).steps(found, rows.before, rows.after, rows.action)
        assert (counts.sum(axis=1) == np.bincount(rows.action, minlength=ACTIONS)).all()
        for action in range(MOVES):
            for way in np.delete(np.arange(LEAP), STILL):
                made = ((rows.then - rows.at == STEPS[way]).all(axis=1) & (rows.action == action)).sum()
                assert counts[action, way] == made
        total += counts
    return total


def test_what_actions_did_in_other_games_is_expected_before_it_is_tried(usual: Array) -> None:
    directions = STEPS[(usual[:MOVES, :LEAP] * (np.arange(LEAP) != STILL)).argmax(axis=1)]
    untried, taught, untaught = 0, 0, 0
    for game in range(20, 32):
        rows = random_steps(game, 1, 16)
        first = next(n for n in range(1, 17) if rows.fit(n, usual) is not None)
        taught, untaught = taught + first, untaught + next(n for n in range(1, 17) if rows.fit(n) is not None)
        found = rows.fit(first, usual)
        assert found is not None
        if (own(rows, rows.after[:1], found)[0] == rows.then[:1]).all():  # else it was found too soon, in another
            rest = np.setdiff1d(np.arange(MOVES), rows.action[:first])
            assert (found.go[:, rest] == directions[rest]).all(), game
            untried += len(rest)
        sure = rows.fit(16, usual)
        assert sure is not None and (sure.go[:, :MOVES] == directions).all(), game
    assert untried > 12 and taught < untaught


def test_what_is_seen_in_this_game_overrules_what_was_usual_in_others(usual: Array) -> None:
    """From difficulty 3 on the moves of a game may be permuted."""
    directions = STEPS[(usual[:MOVES, :LEAP] * (np.arange(LEAP) != STILL)).argmax(axis=1)]
    others = 0
    for game in range(20, 32):
        rows = random_steps(game, 3, 24)
        found = rows.fit(24, usual)
        assert found is not None
        for t in np.flatnonzero(displaced(rows) & (rows.action < MOVES)):
            step = rows.then[t] - rows.at[t]
            assert (found.go[:, rows.action[t]] == step).all(), game
            others += bool((step != directions[rows.action[t]]).any())
    assert others > 20


@pytest.mark.parametrize("task", ["Empty-5x5", "DoorKey-5x5", "FourRooms", "MultiRoom-N2-S4", "GoToDoor-5x5"])
def test_in_a_view_that_moves_along_nobody_is_found(task: str) -> None:
    for seed in range(3):
        walk = Walk(f"MiniGrid-{task}-v0", 1, seed)
        before, after, action = pairs(walk, 50)
        guises = Guises(walk.layout.position, 7)
        for steps in range(30, len(action) + 1, 4):
            assert guises.fit(before[:steps], after[:steps], action[:steps], np.zeros((7, LEAP + 1)), -1) is None


def test_the_same_rows_give_the_same_schema_and_what_is_held_is_kept_with_it() -> None:
    rows = random_steps(3, 1, 40)
    one, again, other = rows.fit(40), rows.fit(40), rows.fit(40, held=7)
    assert one is not None and again is not None and other is not None
    assert one.version == again.version != other.version and (one.held, other.held) == (-1, 7)
    np.testing.assert_array_equal(one.selves, other.selves)
