"""Lesions: each part leaves a trace of its own in a life, and with its lesion that trace is missing, and no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from cortex import curriculum, keep, sleep
from cortex.agent import Agent, Trace
from cortex.arbitration import foreseen
from cortex.build import build
from cortex.curriculum import Lessons
from cortex.day import living
from cortex.envs.make import make_vector
from cortex.imagination import WholeModel
from cortex.lesions import LESIONS
from cortex.modules import planner
from cortex.modules.hippocampus.interactions import Interactions
from cortex.store import Rows
from cortex.types import MODALITIES, Array, Habit

SMALL = (
    "encoders.sound=[sound]",
    "hippocampus.capacity=110",
    "planner.simulations=32",
    "habit.width=16",
    "habit.trust=0.5",
    "world_model.width=16",
    "world_model.ensemble=2",
    "world_model.trust=10",
    "body_image.trust=0",
    "sleep.steps=40",
    "sleep.dream=0.8",
    "sleep.guard=0.5",
    "sleep.batch=32",
    "sleep.states=250",
    "sleep.world_model_steps=20",
    "sleep.body_steps=20",
)
GAMES = {500: 90, 501: 40}
"""Game -> steps of the first day in it."""


@dataclass
class Lived:
    """A day in two games, a night, and some steps of the day after; all that was seen of them."""

    agent: Agent
    day: list[Trace] = field(default_factory=list)
    morning: list[Trace] = field(default_factory=list)
    lessons: Lessons | None = None
    games: Array = field(default_factory=lambda: np.zeros(0, np.int64))  # of the lessons
    drawn: list[Array] = field(default_factory=list)
    steps: int = 0
    forgot: int = 0

    def chose(self, agent: Agent, episodes: Any, lessons: Lessons) -> None:
        self.lessons = lessons
        self.games = np.array([episode.environment for episode in episodes])[lessons.episode]

    def woke(self, agent: Agent, report: dict[str, Any]) -> None:
        pass

    def seen(self, sense: str) -> bool:
        """Whether anything was perceived by a sense."""
        return any((t.sensed.scene.mask & (t.sensed.scene.modality == MODALITIES[sense])).any() for t in self.day)

    def taught(self, what: str) -> Array:
        """A column of the night's lessons."""
        return np.zeros(0, bool) if self.lessons is None else np.asarray(getattr(self.lessons, what))


def game(seed: int) -> Callable[[], Any]:
    senses = ("grid", "text", "body", "sound")
    return lambda: gymnasium.make("cortex/NovelGame-v0", game_seed=seed, difficulty=0, modalities=senses)


def live(agent: Agent, seed: int, steps: int) -> list[Trace]:
    memory, traces, total = agent.hippocampus, [], 0
    memory.environment = seed
    bodies = make_vector(game(seed), 2, seed, held_out=0)
    for trace, action, outcome, _ in living(agent, bodies, seed, np.random.default_rng(seed)):
        agent.observe(trace, action, outcome)
        traces.append(trace)
        total += int(outcome.valid.sum())
        if total >= steps:
            break
    memory.flush()
    return traces


@lru_cache(maxsize=2)
def life(name: str = "") -> Lived:
    """The life of the whole agent, or of one without a part."""
    torch.set_num_threads(1)
    agent = Agent.make(game(500), *SMALL, *([f"lesion={name}"] if name else []), seed=3)
    lived = Lived(agent)
    for seed, steps in GAMES.items():
        lived.day += live(agent, seed, steps)
    lived.steps = agent.hippocampus.store.steps
    sleep.night(agent, np.random.default_rng(0), watcher=lived)  # type: ignore[arg-type]
    lived.forgot = sleep.prune(agent, np.random.default_rng(0))["forgotten"]
    agent.hippocampus.day += 1
    agent.habit.calibration.copy_(torch.tensor([0.0, 9.0, 1.0]))  # sure of itself
    lived.morning = live(agent, 500, 32)
    return lived


def changed(lived: Lived) -> bool:
    """Whether what comes out otherwise than eight times before is believed."""
    h = lived.agent.hippocampus
    world = Interactions(lived.agent.codebook, [], h.change if h.capacity else 0)
    met, zero = np.array([[1, 0, 0]]), np.zeros(1, np.int64)
    for step in range(12):
        after = np.array([[2 if step >= 8 else 1, 0, 0]])
        world.learn(zero, met, zero, after, np.array([[100 * step, 100 * step]]))
    return bool(world.predict(zero, met)[1][0, 0] == 2)


def likened(lived: Lived) -> bool:
    """Whether a thing is expected to do what one of another colour did, though others do not."""
    codebook, h = lived.agent.codebook, lived.agent.hippocampus
    kinds = codebook.attributes(np.array([1, 2, 3]))
    unknown = codebook.compose(np.array([[kinds[0, 0], kinds[1, 1], kinds[0, 2]]]))[0]
    world, none = Interactions(codebook, h.levels, 0), np.zeros(3, np.int64)
    met = np.array([[1, 0, 0], [2, 0, 0], [3, 0, 0]])
    world.learn(none, met, np.array([1, 0, 0]), met, np.arange(6).reshape(3, 2))
    return bool(world.predict(none[:1], np.array([[unknown, 0, 0]]))[0][0] == 1)


def prefers(lived: Lived, **columns: tuple[float, float]) -> bool:
    """Whether of memories that differ in ``columns``, and do not fit into the capacity, the second half stays."""
    mind, rows = lived.agent, keep.rows_of(lived.agent)
    if not rows.steps:
        return False
    one = rows.read(rows.episodes()[0])
    agent = build(mind.config, mind.observation_space, mind.space, Rows(None), like=mind)
    memory, half = agent.hippocampus, mind.hippocampus.capacity // len(one.action)
    for number in range(2 * half):
        of = {name: values[number // half] for name, values in columns.items()}
        salience = np.full_like(one.salience, of.get("salience", 0.5))
        memory.store.add(replace(one, salience=salience, day=int(of.get("day", 1)), body=number))
    memory.day = 9
    sleep.prune(agent, np.random.default_rng(1))
    kept = np.array([memory.store.read(number).body for number in memory.store.episodes()]) // half
    return bool(np.mean(kept) >= 0.75)


def curious(lived: Lived) -> bool:
    """Whether anything was worth more than the sight of what is not seen, and whether an event pays, can be worth."""
    layers = [layer for trace in lived.day for layer in trace.tree.layers]
    return any((layer.expansion.bonus > 0.35).any() for layer in layers)


def looks(lived: Lived) -> bool:
    """Whether, with memory cleared, it looks at what is around itself."""
    alone = lived.agent.lesioned("hippocampus")
    traces = live(alone, 500, 4)
    return any(alone.around(trace.state) is not trace.state.scene for trace in traces)


def guarded(lived: Lived) -> bool:
    """Whether a night that does harm is undone."""
    agent = lived.agent.lesioned("sleep.states=80")
    before, told = {name: value.clone() for name, value in agent.weights().items()}, iter([0.9, 0.2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sleep, "agreement", lambda *_: next(told))
        report = sleep.night(agent, np.random.default_rng(0))
    agent.restore(before)
    return bool(report["rolled_back"])


def foretold(lived: Lived) -> bool:
    """Whether search may ask the learned model."""
    trace = lived.morning[-1]
    model = lived.agent.imagination.model(trace.state, trace.situation)
    return model.foretells if isinstance(model, WholeModel) else model.known is not None


def even(lived: Lived) -> bool:
    """Whether of what is replayed about as much is of the game that was seldom lived in."""
    return bool(np.mean(lived.games[~lived.taught("dreamed")] == 501) > 0.38) if len(lived.games) else False


def hears(lived: Lived) -> bool:
    """Whether the habit takes in what lies three cells away beside what is next to it."""
    lateral, row = lived.agent.habit.lateral, torch.zeros(1, 5, dtype=torch.int64)
    near = torch.ones(1, 5, lateral.enter.in_features)
    far = near.clone()
    far[0, 3] = -1.0
    with torch.inference_mode():
        told = [lateral(tokens, row, torch.arange(5)[None], row == 0) for tokens in (near, far)]
    return not torch.equal(*told)


def rehearses(lived: Lived) -> bool:
    """Whether by night the habit teaches itself what it is sure of, in games that were not met that day."""
    agent = lived.agent
    chosen = curriculum.choose(agent, sleep.settle(agent), np.random.default_rng(0))
    for part in chosen:
        searched, settled = (
            curriculum.search_states(agent, part, is_settled)[0].targets for is_settled in (False, True)
        )
        if not np.array_equal(searched, settled):
            return True
    return False


def foresees(lived: Lived) -> bool:
    """Whether more is replayed of a game that is said to come tomorrow."""
    agent, draw = lived.agent, np.random.default_rng
    episodes = sleep.settle(agent)
    situations = {episode.situation for episode in episodes}
    for come in situations if len(situations) > 1 else ():
        share = []
        for tomorrow in ((), (come,)):
            drawn = [group for seed in range(10) for group in curriculum.choose(agent, episodes, draw(seed), tomorrow)]
            share.append(np.mean(np.concatenate([group.situation for group in drawn]) == come))
        if share[1] > share[0] + 0.05:
            return True
    return False


def weighs(lived: Lived) -> bool:
    """Whether what the habit knows by heart is drawn less than what it can still learn."""
    if lived.lessons is None or not len(lived.lessons.old):
        return False
    known = replace(lived.lessons, prior=curriculum.priors(lived.agent, lived.lessons.scene))
    chances = sleep.choice_of(lived.agent, known).chances()
    return bool(np.ptp(chances) > 0.1 * chances.mean())


def refreshes(lived: Lived) -> bool:
    """Whether lessons of today are drawn more than older ones that are known as well."""
    if lived.lessons is None or not len(lived.lessons.old):
        return False
    game = np.arange(len(lived.lessons.old)) % 2
    known = replace(lived.lessons, situation=game, old=game == 0)
    chances = [sleep.choice_of(lived.agent, one).chances() for one in (known, replace(known, old=game < 0))]
    return bool(chances[0][game == 0].sum() < 0.5 * chances[1][game == 0].sum())


def inhibited(lived: Lived) -> bool:
    """Whether what a habit does gives way where it led back to the same place."""
    motor, stays = lived.agent.motor, np.zeros(1, bool)
    line, prior, done = motor.initial(1), np.full((1, motor.actions), 0.1, np.float32), set()
    prior[0, 0] = 1.0
    for _ in range(9):
        plan = planner.nothing(1, motor.actions, prior)
        action, line = motor(line, stays, plan, stays, np.array([7]), stays, np.random.default_rng(0), 0.0)
        done.add(int(action[0]))
    return len(done) > 1


def wary(lived: Lived) -> bool:
    """Whether a habit that is sure of something in vain is held back somewhere, and never altogether."""
    agent, doubted = lived.agent, []
    for trace in lived.day[::5]:
        bodies, everyone = len(trace.state.code), np.ones(len(trace.state.code), bool)
        for action in range(agent.motor.actions):
            prior = np.repeat(np.eye(agent.motor.actions, dtype=np.float32)[[action]], bodies, axis=0)
            habit = Habit(prior, np.zeros(bodies, np.float32), np.ones(bodies, np.float32))
            doubted.append(foreseen(agent, habit, trace.state, trace.situation, everyone)[1])
    return bool(0 < np.mean(doubted) < 1)


def acts(lived: Lived) -> bool:
    """Whether a sure habit decided, where nobody searched or went on with a plan."""
    sure, trust = lived.agent.sure, lived.agent.config.habit.trust
    return any((sure(t.habit, t.situation, trust) & ~t.searched & ~t.followed).any() for t in lived.morning)


TRACES: dict[str, Callable[[Lived], bool]] = {
    "sight": lambda lived: lived.seen("grid"),
    "words": lambda lived: lived.seen("text"),
    "sound": lambda lived: lived.seen("sound"),
    "numbers": lambda lived: lived.seen("symbol"),
    "binding": lambda lived: any(trace.sensed.percept.latent.any() for trace in lived.day),
    "hippocampus": lambda lived: lived.steps > 0,
    "change": changed,
    "gist": lambda lived: any(len(gist.times) for gist in lived.agent.hippocampus.gists.values()),
    "likeness": likened,
    "situation": lambda lived: len(lived.agent.hippocampus.situations) > 1,
    "salience": lambda lived: prefers(lived, salience=(0.1, 0.9)),
    "forgetting": lambda lived: prefers(lived, day=(1, 8)),
    "curiosity": curious,
    "planner": lambda lived: any(trace.plan.nodes.any() for trace in lived.day),
    "context": lambda lived: any((trace.state.latent != trace.sensed.percept.latent).any() for trace in lived.day),
    "night": lambda lived: any(value.any() for name, value in lived.agent.weights().items() if "nights" in name),
    "world_model": foretold,
    "body_image": looks,
    "habit": acts,
    "caution": wary,
    "lateral": hears,
    "motor": lambda lived: any(trace.followed.any() for trace in lived.day),
    "inhibition": inhibited,
    "learn_world": lambda lived: bool(lived.agent.imagination.world_model.nights),
    "learn_body": lambda lived: bool(lived.agent.body_image.nights),
    "choose": even,
    "need": foresees,
    "weighing": weighs,
    "recency": refreshes,
    "stakes": lambda lived: bool(lived.taught("stake").any()),
    "mirror": lambda lived: bool((lived.taught("alike").reshape(-1, 8, lived.agent.motor.actions)[:, 1:] >= 0).any()),
    "search_again": lambda lived: bool(lived.taught("found").any()),
    "distil": lambda lived: bool(lived.drawn),
    "dream": lambda lived: bool(lived.taught("dreamed").any()),
    "rehearsal": rehearses,
    "prune": lambda lived: lived.forgot > 0,
    "guard": guarded,
}
"""Lesion -> whether the part that it cuts left its trace in a life."""


def traces(lived: Lived) -> set[str]:
    return {name for name, left in TRACES.items() if left(lived)}


TAUGHT = {"habit", "distil", "search_again", "rehearsal", "weighing", "recency", "stakes"}
SLEPT = TAUGHT | {
    "mirror",
    "need",
    "night",
    "learn_world",
    "world_model",
    "learn_body",
    "body_image",
    "choose",
    "dream",
    "guard",
}
NEEDS: dict[str, set[str]] = {
    "sight": SLEPT | {"situation", "gist", "motor", "caution"},  # a map, and all that is done with it
    "numbers": {"motor"},  # what is held
    "binding": {"context"},  # of which the trace is made
    "hippocampus": SLEPT | {"change", "gist", "situation", "salience", "forgetting", "prune", "motor", "caution"},
    # other bodies, and one game alone
    "situation": {
        "caution",
        "gist",
        "learn_body",
        "body_image",
        "learn_world",
        "world_model",
        "choose",
        "dream",
        "mirror",
        "need",
        "stakes",
    },
    "salience": {"forgetting"},  # a lot knows no age
    "planner": TAUGHT | {"curiosity", "motor", "caution"},  # who never searched may have met nothing that pays
    "context": TAUGHT | {"mirror", "motor"},
    "night": SLEPT,
    "learn_world": {"world_model"},
    "learn_body": {"body_image"},
    "search_again": TAUGHT,
    "distil": TAUGHT,
    "weighing": {"recency"},  # a lot knows no day
    # So many lived states are asked for that all are chosen; and what the body felt there does not turn with a scene.
    "dream": {"choose", "mirror"},
    "prune": {"gist", "salience", "forgetting"},  # what of it stays, and what goes first
}
"""Lesion -> what else may leave no trace without the part, since it lives on what the part gives."""


def test_every_lesion_cuts_a_part_that_leaves_a_trace() -> None:
    assert TRACES.keys() == LESIONS.keys() and traces(life()) == LESIONS.keys()


@pytest.mark.parametrize("name", LESIONS)
def test_a_lesion_silences_its_part_and_no_other(name: str) -> None:
    lost = LESIONS.keys() - traces(life(name))
    assert name in lost, "the part is not silent"
    assert lost <= {name} | NEEDS.get(name, set()), "other parts are silent too"


def test_who_shows_an_agent_what_comes_tomorrow_has_it_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, come = life().agent, []
    episodes, other = sleep.settle(agent), make_vector(game(502), 2, 9, held_out=0).reset(seed=9)[0]
    monkeypatch.setattr(agent.hippocampus, "day", agent.hippocampus.day)  # others go on with this life
    monkeypatch.setattr(sleep, "night", lambda *_, tomorrow=(), **__: come.append(list(tomorrow)) or {})
    for seed in GAMES:
        agent.sleep(tomorrow=make_vector(game(seed), 2, 9, held_out=0).reset(seed=9)[0])
        lived = {episode.situation for episode in episodes if episode.environment == seed}
        assert set(come[-1]) == lived and len(lived) == 1
    one = game(500)().reset(seed=9)[0]
    assert (
        agent.recognise(one).tolist()
        == agent.recognise(make_vector(game(500), 1, 9, held_out=0).reset(seed=9)[0]).tolist()
    )
    agent.sleep(tomorrow=other)
    assert set(come[-1]) == {len(agent.hippocampus.situations)}, "nobody was there yet"
    agent.sleep()
    assert come[-1] == []
