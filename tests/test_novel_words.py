"""Words of novel games: what is told is exact, can be read back, and serves who reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

from cortex.envs.novel_game import players, spec, words
from cortex.envs.novel_game.codes import BUMP_TABLE, CHANGE, ENTER, NEXT, NOTHING, SOUND, USE_TABLE
from cortex.envs.novel_game.dynamics import Terms
from cortex.envs.novel_game.generate import Bench, generate
from cortex.envs.novel_game.layout import ALL
from cortex.envs.novel_game.nouns import NOUNS
from cortex.envs.novel_game.search import MIND
from cortex.envs.novel_game.spec import Decoy, Setting, Spec, Stage
from cortex.envs.novel_game.tables import GAME, TooManyCodes, tables
from cortex.types import Array, CortexError

TABLES = ("act", "push", "after")
NAMES = {noun: code for code, noun in enumerate(NOUNS)}


def game(*stages: Stage, decoys: tuple[Decoy, ...] = (), length: int = 1, silent: bool = False) -> Array:
    """A game whose codes are given away in the order of the nouns, from apple on; before it lies the ground."""
    codes = np.r_[np.arange(25, 32), 2:25, 1]
    chain = (Stage("toggle"),) * (3 + length - len(stages)) + stages
    return tables(Spec(chain, decoys, length), codes, np.arange(4), 0, silent)[()]


def games(count: int) -> Iterator[Array]:
    """Games of all splits, sizes and mechanics."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        setting = Setting(int(rng.integers(1, 5)), int(rng.integers(0, 7)), 11)
        rules = spec.sample(rng, setting, "T3" if seed % 3 == 0 else ("train", "T2", "T4")[seed // 3 % 3])
        try:
            if rules is not None:
                yield tables(rules, 1 + rng.permutation(31), np.arange(4), 0, bool(seed % 2))[()]
        except TooManyCodes:
            pass


def blank(rules: Array) -> Array:
    mind: Array = np.zeros(1, MIND)[0]
    players.forget(rules[None][0], mind)
    return mind


def test_what_is_told_reads_back_as_the_tables() -> None:
    read = 0
    for rules in games(1500):
        mind = blank(rules)
        words.read(words.tell(rules), mind)
        for name in TABLES:
            np.testing.assert_array_equal(mind[name], rules[name])
        assert (mind["acted"] == players.TRIED).all() and (mind["pushed"] == players.TRIED).all() and mind["goal"]
        read += 1
    assert read > 200


def test_sentences_joined_as_one_text_read_the_same() -> None:
    rules = next(games(100))
    one, other = blank(rules), blank(rules)
    words.read(words.tell(rules), one)
    words.read([" ".join(words.tell(rules))], other)
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("stage", "sentence"),
    [
        (Stage("toggle"), "Walk against the cloud to win."),
        (Stage("carry"), "Use the cloud on the cup to win."),
        (Stage("tool"), "Use the cup on the cloud to win."),
        (Stage("tool", keeps=True), "Use the cup on the cloud to win; the cup is kept."),
        (Stage("push"), "Push the cloud onto the cup to win."),
        (Stage("hazard"), "Walk against the cloud with the cup in hand to win."),
        (Stage("patrol"), "Walk against the cloud to win."),
    ],
)
def test_the_goal_is_one_sentence_and_told_first(stage: Stage, sentence: str) -> None:
    rules = game(stage)
    assert words.goal(rules) == words.tell(rules)[0] == sentence


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (Stage("tool"), {"Use the cloud on the boot to turn the boot into a cup; the cloud is used up."}),
        (Stage("tool", keeps=True), {"Use the cloud on the boot to turn the boot into a cup; the cloud is kept."}),
        (
            Stage("carry"),
            {
                "Walk against the boot with an empty hand to take it.",
                "Use the boot on the cloud to turn the cloud into a cup; the boot is used up.",
            },
        ),
        (
            Stage("push"),
            {"The boot can be pushed over the floor.", "Push the boot onto the cloud to turn both into a cup."},
        ),
        (Stage("patrol"), {"The boot walks about.", "Walk against the boot to turn it into a cloud."}),
        (Stage("teleport"), {"A pad leads to the other pad."}),
        (
            Stage("timed", 7),
            {
                "Walk against the boot to turn it into a cup.",
                "The cup turns into a cloud by itself after 7 steps.",
                "The cloud looks like the cup.",
            },
        ),
        (
            Stage("collect", 2),
            {
                "Walk against the cloud with an empty hand to take it; then you hold a diamond.",
                "Walk against the cloud with the diamond in hand to take it; then you hold a donut.",
                "Use the donut on the boot to turn the boot into a cup; the donut is used up.",
                "Use what you hold on the floor to put it down.",
            },
        ),
        (
            Stage("hazard"),
            {
                "Walking against the boot kills you, unless you hold the cloud.",
                "Walk against the boot with the cloud in hand to turn it into a cup; the cloud is used up.",
            },
        ),
    ],
)
def test_a_stage_is_told_in_the_words_of_its_kind(stage: Stage, expected: set[str]) -> None:
    told = words.tell(game(stage, Stage("toggle"), silent=True))
    assert expected <= set(told), told


def test_what_leads_to_the_goal_is_told_backwards() -> None:
    assert words.tell(game(Stage("carry"), Stage("tool", keeps=True), length=2))[:6] == [
        "Use the donut on the diamond to win; the donut is kept.",
        "Use the cloud on the cup to turn the cup into a diamond; the cloud is used up.",
        "Walk against the donut with an empty hand to take it.",
        "Walk against the boot to turn it into a cloud.",
        "Walk against the cloud with an empty hand to take it.",
        "Walk against the bell to turn it into a boot.",
    ]


def test_decoys_are_told_after_what_leads_to_the_goal() -> None:
    decoys = (Decoy("eater", 3), Decoy("junk"), Decoy("switch"), Decoy("block"), Decoy("trap"))
    assert words.tell(game(Stage("carry"), decoys=decoys))[-7:] == [
        "Use the cloud on the diamond and the cloud is lost.",
        "Walk against the donut with an empty hand to take it.",
        "Walk against the envelope to turn it into a flag.",
        "The fork can be pushed over the floor.",
        "Walking against the ghost kills you.",
        "Use what you hold on the floor to put it down.",
        "Nothing else happens.",
    ]


def test_ground_and_codes_that_are_not_used_are_not_named() -> None:
    for rules in games(60):
        named = {NAMES[word] for word in re.findall("[a-z]+", " ".join(words.tell(rules))) if word in NAMES}
        laid = set(rules["things"][..., 0].ravel().tolist()) - {NOTHING}
        assert laid <= named and not named & set(rules["ground"].tolist())
        changes = rules["act"][rules["act"][..., SOUND] == CHANGE]
        made = set(changes[:, NEXT].tolist())
        assert made <= named


def test_texts_fit_the_space_for_them() -> None:
    longest = 0
    for rules in games(300):
        text = " ".join(words.tell(rules))
        assert set(text) <= set(words.CHARSET) and text.isascii()
        assert not re.search(r"\b(a [aeiou]|an [^aeiou])", text)
        longest = max(longest, len(text))
    assert words.LONGEST / 2 < longest < words.LONGEST


def test_a_text_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "LONGEST", 100)
    with pytest.raises(CortexError, match="of which a text holds 100"):
        words.tell(game(Stage("toggle")))


def test_tables_beyond_words_are_refused() -> None:
    rules = np.zeros(1, GAME)
    rules[0] = game(Stage("tool"))
    strange = rules[0]
    strange["act"][USE_TABLE, NAMES["kettle"], NAMES["key"], ENTER] = 1  # to step in by using something
    with pytest.raises(CortexError, match="no sentence says"):
        words.tell(strange)


@pytest.mark.parametrize(
    "sentence",
    [
        "Dance with the kettle.",
        "Walk against the dragon to win.",
        "Walk against the nothing to win.",
        "Walk against the kettle to turn it into an bell.",
        "Walk against the kettle to win",
        "Use the cup on the kettle to win; the bell is kept.",
        "The cup turns into a bell by itself after 900 steps.",
        "Walk against the truck to win.",  # a truck is floor here
    ],
)
def test_a_sentence_that_cannot_be_read_is_named(sentence: str) -> None:
    rules = game(Stage("toggle"))
    rules["ground"][0] = NAMES["truck"]
    with pytest.raises(CortexError) as raised:
        words.read(["Walk against the cup to win.", sentence], blank(rules))
    assert repr(sentence) in str(raised.value)


def test_a_mind_without_ground_cannot_read() -> None:
    with pytest.raises(CortexError, match=r"players\.forget"):
        words.read(["Nothing else happens."], np.zeros(1, MIND)[0])


def test_one_rule_is_the_goal_and_a_rule_that_level_one_uses() -> None:
    for rules in games(100):
        told, goal = set(words.tell(rules)), words.goal(rules)
        drawn = {words.one(rules, number) for number in range(40)}
        assert words.one(rules, 3) == words.one(rules, 3)
        assert all(text.startswith(goal) for text in drawn)
        further = {text[len(goal) + 1 :] for text in drawn} - {""}
        assert further <= told and not any(goal in text for text in further)
        assert not any("lost" in text for text in further)
        later = set(rules["things"][..., 0].ravel().tolist()) - set(rules["things"][0, :, 0].tolist())
        assert not {NOUNS[code] for code in later} & set(re.findall("[a-z]+", " ".join(further)))


def test_one_rule_comes_from_each_that_level_one_uses() -> None:
    rules = game(Stage("carry"), Stage("tool"), decoys=(Decoy("junk"), Decoy("trap")), length=2)
    assert {words.one(rules, number) for number in range(20)} == {
        f"Use the donut on the diamond to win. {further}"
        for further in (
            "Use the cloud on the cup to turn the cup into a diamond; the cloud is used up.",
            "Walk against the cloud with an empty hand to take it.",
            "Walk against the donut with an empty hand to take it.",
        )
    }


def test_a_game_of_one_toggle_has_no_further_rule() -> None:
    rules = game(Stage("toggle"))
    assert words.one(rules, 7) == words.goal(rules)


def test_partial_words_leave_the_rest_unknown() -> None:
    rules = game(Stage("tool"))
    mind = blank(rules)
    words.read([words.goal(rules)], mind)
    thing, tool = NOUNS.index("cloud"), NOUNS.index("cup")
    assert mind["acted"][USE_TABLE, thing, tool] and mind["goal"]
    assert not mind["acted"][BUMP_TABLE, tool, NOTHING] and not mind["acted"][USE_TABLE, tool, thing]


def first_win(rules: Array, seed: int, told: list[str]) -> int:
    """Actions of L to its first win, after it has read; all its actions where it never wins."""
    bench = Bench.make(seed)
    record, world, mind = rules[None][0], bench.world[0], bench.mind[0]
    players.forget(record, mind)
    words.read(told, mind)
    ends, wins = np.zeros(12, np.int64), np.zeros(12, np.int64)
    tries = players.learn(record, world, Terms(9, 100, 1, ALL), mind, bench.plan, players.Ways(), 12, 1200, ends, wins)
    won = np.flatnonzero(wins[:tries])
    return int(ends[won[0]]) if len(won) else int(ends[tries - 1])


def test_who_has_read_wins_earlier() -> None:
    ratios = {"goal": [], "all": []}  # type: dict[str, list[float]]
    for seed in range(24):
        rules = generate(seed, "train", Setting(2, 3, 9)).tables[()]
        told = {"goal": [words.goal(rules)], "all": words.tell(rules)}
        for name, sentences in told.items():
            ratios[name].append(np.log(first_win(rules, seed, sentences) / first_win(rules, seed, [])))
    # Upper end of the 95 % interval of the mean (t, 23 degrees of freedom), as a ratio of geometric means.
    upper = {name: np.exp(np.mean(v) + 2.07 * np.std(v, ddof=1) / np.sqrt(len(v))) for name, v in ratios.items()}
    assert upper["all"] < 0.6 and upper["goal"] < 1
    assert np.mean(ratios["all"]) < np.mean(ratios["goal"])


def test_constants_agree_with_the_players() -> None:
    assert words.TRIED == players.TRIED
