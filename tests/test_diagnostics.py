"""Diagnostic tasks: optimum, chance and what is left without the module are what each task says, exactly."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.stats import binomtest

import cortex
from cortex.envs.diagnostics import DIAGNOSTICS, ENTRY_POINTS, register
from cortex.envs.diagnostics.chord import Chord
from cortex.envs.diagnostics.cue import Cue
from cortex.envs.diagnostics.delay import Delay
from cortex.envs.diagnostics.detour import Detour
from cortex.envs.diagnostics.errand import Errand
from cortex.envs.diagnostics.foraging import Foraging
from cortex.envs.diagnostics.generalise import Generalise
from cortex.envs.diagnostics.order import Order
from cortex.envs.diagnostics.skill import Skill
from cortex.envs.diagnostics.tone import Tone
from cortex.envs.diagnostics.words import SENTENCES, Words
from cortex.types import CortexError

register()
IDS = list(DIAGNOSTICS)
History = list[dict[str, Any]]


def exam(name: str, **settings: Any) -> Any:
    """The bare environment in which the facts are stated."""
    return gymnasium.make(name, disable_env_checker=True, **{**DIAGNOSTICS[name].exam, **settings}).unwrapped


def layouts(env: Any) -> Iterator[tuple[int, ...]]:
    return product(*map(range, env.layout_sizes))


def frozen(observation: dict[str, Any]) -> tuple[Any, ...]:
    """An observation as something that can be a key."""
    return tuple((k, v.tobytes() if isinstance(v, np.ndarray) else v) for k, v in sorted(observation.items()))


def play(env: Any, player: Callable[[Any, History], int], **reset: Any) -> bool:
    """One episode; the player gets everything that was seen in it."""
    history, over, info = [env.reset(**reset)[0]], False, {"success": False}
    while not over:
        observation, reward, terminated, truncated, info = env.step(player(env, history))
        assert reward == float(info["success"])
        history.append(observation)
        over = terminated or truncated
    assert len(history) <= 31
    return bool(info["success"])


def by_view(_: Any, history: History) -> int:
    """The first action of a shortest way, found on the view alone: the agent in its middle, heading up."""
    view = history[-1]["view"][..., 0]
    queue: deque[tuple[tuple[int, int, int], int | None]] = deque([((3, 3, 0), None)])
    known = {(3, 3, 0)}
    while queue:
        (row, column, heading), first = queue.popleft()
        if view[row, column] == 3:
            return int(first or 0)
        down, right = [(-1, 0), (0, 1), (1, 0), (0, -1)][heading]
        ahead = (row + down, column + right)
        stays = min(ahead) < 0 or max(ahead) > 6 or view[ahead] == 2
        steps = [(row, column, (heading - 1) % 4), (row, column, (heading + 1) % 4)]
        steps.append((row, column, heading) if stays else (*ahead, heading))
        for action, after in enumerate(steps):
            if after not in known:
                known.add(after)
                queue.append((after, action if first is None else first))
    raise AssertionError("no way")


def in_order(_: Any, history: History) -> int:
    return history[0 if history[-1]["sign"] == 5 else 1]["sign"] - 1 if history[-1]["sign"] > 4 else 0


def by_words(env: Any, history: History) -> int:
    said = history[-1]["mission"]
    return env.things.index(next(t for t, parts in SENTENCES.items() if said in (*parts["day"], *parts["exam"])))


def pitch(sound: np.ndarray) -> int:
    """Which of the two pitches, by the crossings of zero in the loud samples."""
    return int(np.abs(np.diff(np.sign(sound))).sum() / 2 / len(sound) > 0.15)


PLAYERS: dict[str, Callable[[Any, History], int]] = {
    "cortex/Cue-v0": lambda env, seen: env.pays[seen[0]["cue"] - 1],
    "cortex/Delay-v0": lambda env, seen: env.pays[seen[0]["sign"]],
    "cortex/Order-v0": in_order,
    "cortex/Foraging-v0": lambda env, seen: env._food[seen[0]["meadow"]],  # one who has found it before
    "cortex/Detour-v0": by_view,
    "cortex/Skill-v0": lambda env, seen: env.keys[seen[-1]["place"]],
    "cortex/Generalise-v0": lambda env, seen: (
        env.empties[seen[-1]["colour"]] if seen[-1]["stage"] else env.opens[seen[-1]["shape"]]
    ),
    "cortex/Words-v0": by_words,
    "cortex/Chord-v0": lambda env, seen: env.answers[int(seen[-1]["tone"][0] * 3), seen[-1]["light"]],
    "cortex/Errand-v0": lambda env, seen: env.ends[seen[-1]["sign"]],
    "cortex/Tone-v0": lambda env, seen: env.pays[pitch(seen[-1]["sound"])],
}
"""Who lacks nothing: what is seen in the episode, and the rule that earlier episodes taught."""


def random_success(env: Any) -> Fraction:
    """The exact chance of uniformly random actions to win, over all layouts."""
    chances = []
    for layout in layouts(env):
        known: dict[Any, Fraction] = {}

        def win(here: Any, at: Any, known: dict[Any, Fraction] = known) -> Fraction:
            # In one layout, the clock and what is seen say where the episode stands.
            if at not in known:
                total = Fraction(0)
                for action in range(int(env.action_space.n)):
                    after = copy.copy(here)
                    observation, _, terminated, truncated, info = after.step(action)
                    over = terminated or truncated
                    total += int(info["success"]) if over else win(after, (at[0] + 1, frozen(observation)))
                known[at] = total / int(env.action_space.n)
            return known[at]

        chances.append(win(env, (0, frozen(env.reset(seed=0, options={"layout": layout})[0]))))
    return sum(chances, Fraction(0)) / len(chances)


def best_success(env: Any, keep: Callable[[History], Any]) -> Fraction:
    """The exact success of the best policy that acts on ``keep(history)``, where only the last action counts."""
    wins: dict[Any, Counter[int]] = defaultdict(Counter)
    total = 0
    for layout in layouts(env):
        history = [env.reset(seed=0, options={"layout": layout})[0]]
        while True:
            answers = []
            for action in range(int(env.action_space.n)):
                after = copy.copy(env)
                answers.append(after.step(action))
            if answers[0][2]:
                break
            assert len({frozen(answer[0]) for answer in answers}) == 1, "only the last action counts"
            history.append(env.step(0)[0])
        wins[keep(history)] += Counter({a: int(answer[4]["success"]) for a, answer in enumerate(answers)})
        total += 1
    return Fraction(sum(max(counts.values()) for counts in wins.values()), total)


def last(history: History) -> Any:
    return frozen(history[-1])


def everything(history: History) -> Any:
    return tuple(map(frozen, history))


@pytest.mark.parametrize("name", IDS)
def test_gymnasium_accepts_it(name: str) -> None:
    spec = gymnasium.spec(name)
    register()
    assert list(ENTRY_POINTS) == IDS and gymnasium.spec(name) is spec
    env = gymnasium.make(name, render_mode="ansi")
    check_env(env.unwrapped)
    env.reset(seed=1)
    before = env.render()
    env.step(env.action_space.sample())
    assert isinstance(before, str) and isinstance(env.render(), str)


@pytest.mark.parametrize("name", IDS)
def test_facts_name_known_lesions(name: str) -> None:
    facts = DIAGNOSTICS[name]
    assert facts.lesion in {None, *cortex.LESIONS} and facts.lesion not in facts.survives
    assert set(facts.survives) <= set(cortex.LESIONS)
    assert facts.chance <= facts.without < facts.optimum
    assert cortex.load_config(*facts.settings)
    if facts.mute:
        exam(name, **facts.mute)


@pytest.mark.parametrize("name", IDS)
def test_who_lacks_nothing_reaches_the_optimum(name: str) -> None:
    for game in range(3):
        env = exam(name, **({"game_seed": game} if name not in ("cortex/Order-v0", "cortex/Detour-v0") else {}))
        wins = [play(env, PLAYERS[name], seed=seed) for seed in range(60)]
        assert np.mean(wins) == DIAGNOSTICS[name].optimum


@pytest.mark.parametrize("name", IDS)
def test_chance_is_exact(name: str) -> None:
    env = exam(name, **({"length": 1} if name == "cortex/Delay-v0" else {}))
    assert float(random_success(env)) == pytest.approx(DIAGNOSTICS[name].chance, rel=1e-12)


@pytest.mark.parametrize("name", IDS)
def test_random_play_is_at_chance(name: str) -> None:
    env, rng = exam(name), np.random.default_rng(5)
    env.reset(seed=5)
    wins = sum(play(env, lambda *_: int(rng.integers(env.action_space.n))) for _ in range(600))
    assert binomtest(wins, 600, DIAGNOSTICS[name].chance).pvalue > 0.001


@pytest.mark.parametrize("name", IDS)
def test_a_seed_is_an_episode_and_seeds_differ(name: str) -> None:
    env, other = exam(name), exam(name)
    first = [everything([env.reset(seed=seed)[0]]) for seed in range(20)]
    assert first == [everything([other.reset(seed=seed)[0]]) for seed in range(20)]
    begins_alike = {"cortex/Skill-v0": 1}
    assert len(set(first)) >= begins_alike.get(name, 2)


@pytest.mark.parametrize("env", [Cue(), Delay(length=1), Delay(length=2), Order()], ids=str)
def test_without_memory_nothing_beats_chance_and_with_it_all_is_won(env: Any) -> None:
    assert float(best_success(env, last)) == env.WITHOUT
    assert best_success(env, everything) == 1


def test_a_memory_that_does_not_reach_back_to_the_cue_is_at_chance() -> None:
    env = Delay(length=2)
    assert best_success(env, lambda history: everything(history[1:])) == Fraction(1, 4)
    assert best_success(env, lambda history: frozen(history[0])) == 1


def test_order_takes_both_events_and_which_came_first() -> None:
    env = Order()
    assert best_success(env, lambda h: (last(h), frozenset(o["sign"] for o in h[:2]))) == Fraction(1, 2)
    assert best_success(env, lambda h: (last(h), h[0]["sign"])) == Fraction(2, 3)
    assert best_success(env, lambda h: (last(h), h[1]["sign"])) == Fraction(2, 3)


def test_one_sense_of_a_chord_tells_nothing() -> None:
    for game in range(5):
        env = Chord(game_seed=game)
        assert best_success(env, lambda h: int(h[0]["tone"][0] * 3)) == Fraction(1, 3)
        assert best_success(env, lambda h: h[0]["light"]) == Fraction(1, 3)
        assert best_success(env, lambda h: (int(h[0]["tone"][0] * 3), h[0]["light"])) == 1
        for sense in ("tone", "light"):
            mute = Chord(mute=(sense,), game_seed=game)
            assert float(best_success(mute, lambda h: (int(h[0]["tone"][0] * 3), h[0]["light"]))) == Chord.WITHOUT


def test_tones_of_one_pitch_are_never_quite_equal() -> None:
    env = Chord()
    tones = [float(env.reset(seed=s, options={"layout": (1, 0)})[0]["tone"][0]) for s in range(50)]
    assert len(set(tones)) == 50 and min(tones) > 1 / 3 and max(tones) < 2 / 3


def test_the_tone_is_all_there_is_and_no_two_are_equal() -> None:
    for game in range(5):
        assert float(best_success(Tone(mute=("sound",), game_seed=game), everything)) == Tone.WITHOUT
        assert best_success(Tone(game_seed=game), everything) == 1
    env = Tone()
    heard = {env.reset(seed=seed, options={"layout": (1,)})[0]["sound"].tobytes() for seed in range(50)}
    assert len(heard) == 50


def test_words_are_all_there_is_and_the_exam_has_others() -> None:
    assert float(best_success(Words(part="exam", mute=("mission",)), everything)) == Words.WITHOUT
    said = [{frozen(env.reset(options={"layout": at})[0]) for at in layouts(env)} for env in (Words(), Words("exam"))]
    assert len(said[0]) == len(said[1]) == 12 and not said[0] & said[1]


@pytest.mark.slow
def test_the_frozen_text_encoder_hears_what_the_exam_means() -> None:
    """A new sentence lies nearest to a day's sentence about the same thing."""
    from cortex.modules.encoders.text import TextEncoder

    hear = TextEncoder()
    day = [(thing, sentence) for thing, parts in SENTENCES.items() for sentence in parts["day"]]
    known = hear([sentence for _, sentence in day]).tokens.reshape(len(day), -1)
    for thing, parts in SENTENCES.items():
        for token in hear(list(parts["exam"])).tokens.reshape(3, -1):
            assert day[int(np.argmax(known @ token))][0] == thing


def test_one_find_is_enough_and_who_forgets_stays_at_chance() -> None:
    visits = []
    for game in range(60):
        env, tried = Foraging(game_seed=game), defaultdict[int, list[int]](list)
        found: dict[int, int] = {}
        env.reset(seed=game)

        def remember(_: Any, h: History, found: Any = found, tried: Any = tried) -> int:
            meadow = h[0]["meadow"]
            return int(found.get(meadow, len(tried[meadow])))

        for _ in range(60):
            won = play(env, remember)
            meadow = env._meadow
            assert won or meadow not in found, "food is found again where it was"
            if meadow not in found:
                tried[meadow].append(env._looked)
                if won:
                    found[meadow] = env._looked
                    visits.append(len(tried[meadow]))
    assert len(visits) == 180 and abs(np.mean(visits) - 4.5) < 4 * np.sqrt(63 / 12 / 180)
    shown = {frozen(Foraging(game_seed=game).reset(options={"layout": (1,)})[0]) for game in range(60)}
    assert len(shown) == 1, "nothing seen tells where the food is"
    first = sum(play(Foraging(game_seed=game), lambda *_: 3, seed=game) for game in range(800))
    assert binomtest(first, 800, Foraging.WITHOUT).pvalue > 0.001, "nor does the seed of an episode"


def test_a_fixed_way_suits_one_gap() -> None:
    """The best sequence of actions for a start, blind to the barrier, wins with one gap of three; the habit never."""

    def best(rooms: list[Any]) -> int:
        scores = []
        for action in range(3):
            won, going = 0, []
            for room in rooms:
                after = copy.copy(room)
                _, _, terminated, truncated, info = after.step(action)
                won += info["success"]
                if not (terminated or truncated) and play_on(copy.copy(after)):
                    going.append(after)
            scores.append(won + (best(going) if going else 0))
        return max(scores)

    for row, heading in product(range(4), range(4)):
        rooms = [Detour(part="exam") for _ in range(3)]
        for gap, room in enumerate(rooms):
            room.reset(options={"layout": (row, gap, heading)})
        assert Fraction(best(rooms), 3) == Fraction(Detour.WITHOUT).limit_denominator(9)
        starts = [{"layout": (row, gap, heading)} for gap in range(3)]
        assert play(Detour(), straight, options=starts[0])
        assert not any(play(room, straight, options=start) for room, start in zip(rooms, starts))


def straight(env: Any, _: History) -> int:
    """The way of the open room: turn east, go on."""
    return {0: 1, 1: 2, 2: 0, 3: 1}[env._pose[2]]


def play_on(env: Any) -> bool:
    """Go on in an episode with shortest ways."""
    seen = [env._look()]
    while True:
        observation, _, terminated, truncated, info = env.step(by_view(env, seen))
        if terminated or truncated:
            return bool(info["success"])
        seen = [observation]


def test_boxes_of_the_exam_are_new_and_their_parts_are_not() -> None:
    for game in range(10):
        day, new = Generalise(game_seed=game), Generalise("exam", game_seed=game)
        assert len(day.boxes) == 8 and len(new.boxes) == 4 and not set(day.boxes) & set(new.boxes)
        assert {s for s, _ in day.boxes} == set(range(4)) and {c for _, c in day.boxes} == set(range(3))
        assert day.opens == new.opens and day.empties == new.empties


def test_over_all_rules_a_new_box_that_is_like_nothing_is_at_chance() -> None:
    env, wins = Generalise("exam"), 0
    rules = list(product(range(4), range(4)))
    for opens, empties in rules:  # each action is the right one of a shape and of a colour in a quarter of all rules
        env.opens, env.empties = [opens] * 4, [empties] * 3
        wins += play(env, lambda _, h: 2 if h[-1]["stage"] else 1, seed=0)
    assert wins / len(rules) == Generalise.WITHOUT


def test_with_one_step_ahead_alone_skill_and_errand_are_guessed() -> None:
    """Random play that takes a winning action wherever the next step shows one."""

    def win(here: Any) -> Fraction:
        total = Fraction(0)
        for action in range(int(here.action_space.n)):
            after = copy.copy(here)
            _, _, terminated, truncated, info = after.step(action)
            if info["success"]:
                return Fraction(1)
            total += 0 if terminated or truncated else win(after)
        return total / int(here.action_space.n)

    for env in (Skill(), Errand()):
        chances = []
        for at in layouts(env):
            env.reset(options={"layout": at})
            chances.append(win(env))
        assert float(sum(chances) / len(chances)) == env.WITHOUT


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "arms": (lambda: Cue(arms=1), "Cue: arms is 1; a whole number from 2 to 9 would do."),
    "flag": (lambda: Cue(arms=True), "arms is True"),
    "length": (lambda: Delay(length=29), "Delay: length is 29"),
    "gap": (lambda: Order(gap=-1), "Order: gap is -1"),
    "meadows": (lambda: Foraging(meadows=2.5), "meadows is 2.5"),  # type: ignore[arg-type]
    "part": (lambda: Detour(part="night"), "Detour: part is 'night'; one of 'day', 'exam' would do."),
    "part of words": (lambda: Words("x"), "Words: part"),
    "part of boxes": (lambda: Generalise("x"), "Generalise: part"),
    "slack": (lambda: Detour(slack=99), "slack is 99"),
    "far": (lambda: Errand(far=0), "far is 0"),
    "keys": (lambda: Skill(length=31), "length is 31"),
    "sense": (lambda: Chord(mute=("smell",)), "mute is ('smell',); a tuple of some of 'tone', 'light' would do."),
    "string": (lambda: Words(mute="mission"), "mute is 'mission'"),  # type: ignore[arg-type]
    "seed": (lambda: Skill(game_seed=-1), "game_seed is -1"),
    "render": (lambda: Errand(render_mode="human"), "render_mode is 'human'; one of None, 'ansi' would do."),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_parameters_are_refused_in_a_sentence(kind: str) -> None:
    make, words = BAD[kind]
    with pytest.raises(CortexError) as error:
        make()
    assert words in str(error.value)


@pytest.mark.parametrize("name", IDS)
def test_bad_actions_and_late_steps_are_refused(name: str) -> None:
    env = exam(name)
    with pytest.raises(CortexError, match="no episode"):
        env.step(0)
    env.reset(seed=0)
    for action in (env.action_space.n, -1, 0.5, "0", None, True, np.zeros(2, int)):
        with pytest.raises(CortexError, match="has no action"):
            env.step(action)
    play(env, lambda *_: np.array(0), seed=0)  # type: ignore[arg-type]
    with pytest.raises(CortexError, match=r"call reset\(\)"):
        env.step(0)
    for wrong in ((99,) * len(env.layout_sizes) or (0,), 0, "a"):
        with pytest.raises(CortexError, match="has no layout"):
            env.reset(options={"layout": wrong})


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "cortex/Words-v0" else name for name in IDS]
)
def test_an_agent_lives_in_it(name: str) -> None:
    agent = cortex.Agent.make(name, "debug", "life.steps=40", "planner.simulations=8", *DIAGNOSTICS[name].settings)
    told: list[dict[str, Any]] = []
    agent.learn(48, on_episode=told.append)
    assert told and not any(episode["fault"] for episode in told)
    observation, _ = exam(name).reset(seed=0)
    action, _ = agent.predict(observation)
    assert agent.space.contains(action)
