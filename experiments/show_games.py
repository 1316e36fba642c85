"""What novel games are like: pictures of episodes as the solver plays them, and what known players reach in each class.

The games of the table are none of those that the family was designed and calibrated with, and all figures are of level
1. Beside h, the median over lives of the reference learner, stands its first win in a single life of each game.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from cortex.envs.novel_game import players, render, sprites, words
from cortex.envs.novel_game.anchors import NAMES, TRIES, Life, anchors
from cortex.envs.novel_game.codes import CHANGE, DROP, GRASP, LEVELS, RIPEN, STEP, USE, WIN
from cortex.envs.novel_game.difficulty import HARDEST, PERMUTED, band, setting
from cortex.envs.novel_game.dynamics import Terms, advance, begin
from cortex.envs.novel_game.generate import Bench, Game, generate
from cortex.envs.novel_game.layout import DAY
from cortex.envs.novel_game.nouns import NOUNS
from cortex.envs.novel_game.sprites import TILE
from cortex.measure.statistics import interval
from cortex.types import Array
from experiments import common

FIRST = 3_000_000
"""Seed of the first game of the table."""

EPISODES = 400
"""Episodes of each floor in each game."""

SHARES = tuple(name for name in NAMES if name != "h")
COLUMNS = (
    *("difficulty", "games"),
    *(f"{name}{bound}" for name in SHARES for bound in ("", "_low", "_high")),
    *("steps", "h", "h_low", "h_high", "life", "life_low", "life_high", "band_low", "band_high", "in_band"),
)

SHOWN = {0: 1, 2: 2, 5: 25, 9: 4}
"""Class -> seed of the game that is shown of it, and of its layout."""

LEVEL = range(1, LEVELS + 1)

TOLD = (5, 25)
"""Class and seed of the game whose rules the page tells."""

PICTURES = Path(__file__).parents[1] / "docs" / "novel-games"
FEWEST_FRAMES, MOST_FRAMES, MOST_COLUMNS = 4, 8, 5
SCALES = {7: 4, 9: 3, 11: 3, 13: 3}
"""Cells of a side -> pixels a pixel."""

GAP, CAPTION, ROW, LETTERS = 10, 72, 22, 13  # pixels: between frames, under a grid, of a legend, of its letters
PAPER, DARK, COLOURS = (255, 255, 255), (24, 26, 34), 256
DOWN, PUSH = "puts down", "pushes away"


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="novel_anchors.csv", seeds=100)
    line.add_argument("--difficulties", nargs="+", type=int, default=list(range(HARDEST + 1)), help="classes of games")
    line.add_argument("--episodes", type=int, default=EPISODES, help="episodes of each floor in each game")
    line.add_argument(
        "--pictures", type=Path, help=f"folder of the pictures; {PICTURES.name}, or that of --out if quick"
    )
    line.add_argument("--only", choices=("table", "pictures"), help="make one of the two; both if not given")
    options = common.read(line)
    if options.quick:
        options.seeds, options.episodes = min(options.seeds, 2), min(options.episodes, 50)
        options.difficulties = [d for d in options.difficulties if d <= 2]
    folder = options.pictures or (options.out.parent if options.quick else PICTURES)
    drawn = [] if options.only == "table" else pictures(folder)
    rows: list[dict[str, Any]] = []
    for difficulty in [] if options.only == "pictures" else options.difficulties:
        began = time.perf_counter()
        rows.append(measure(difficulty, options.seeds, options.episodes))
        seconds = time.perf_counter() - began
        common.progress(
            "difficulty {difficulty}: h {h:.1f}, learner {learner:.2f}".format(**rows[-1]) + f", {seconds:.0f} s"
        )
        common.write_csv(options.out, rows, COLUMNS)
    table = {row["difficulty"]: row for row in rows}
    common.last_line({"experiment": "show_games", "out": str(options.out), "pictures": drawn, "table": table})


def measure(difficulty: int, games: int, episodes: int) -> dict[str, Any]:
    """One row: the means of the anchors over the games of a class, and the median of h, with 95 % intervals."""
    dealt = [deal(difficulty, FIRST + number) for number in range(games)]
    found = [anchors(game, level=1, episodes=episodes) for game in dealt]
    row: dict[str, Any] = {"difficulty": difficulty, "games": games}
    for name in SHARES:
        values = [each[name] for each in found]
        row |= {name: float(np.mean(values)), **_bounds(name, interval(values))}
    for name, values in (("h", [each["h"] for each in found]), ("life", [first_win(game) for game in dealt])):
        row |= {name: float(np.median(values)), **_bounds(name, _median_interval(np.array(values)))}
    low, high = band(difficulty)
    row |= {"band_low": low, "band_high": high, "steps": float(np.mean([game.optimal for game in dealt]))}
    return row | {"in_band": row["h_low"] < high and low <= row["h_high"]}


def first_win(game: Game) -> float:
    """Actions of one life of the reference learner to its first win; all of them where it won nothing."""
    ends, wins = Life.begin(game, game.seed).learn(2 * TRIES)
    return float(ends[np.argmax(wins)] if wins.any() else ends[-1])


def _median_interval(values: Array) -> tuple[float, float]:
    """95 % interval of the median, by percentiles of a bootstrap."""
    drawn = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
    low, high = np.quantile(np.median(values[drawn], axis=1), (0.025, 0.975))
    return float(low), float(high)


def page_row(row: Mapping[str, Any]) -> str:
    """A row of the table as the page shows it; ``row`` may hold text, as a file does."""
    one = {name: float(row[name]) for name in COLUMNS if name not in ("games", "in_band")}
    cells = [f"{one['difficulty']:.0f}", *(_cell(one, name, 2) for name in SHARES), f"{one['steps']:.0f}"]
    cells += [_cell(one, "h", 0), _cell(one, "life", 0), f"{one['band_low']:.1f} to {one['band_high']:.1f}"]
    return f"| {' | '.join(cells)} |"


def _cell(row: Mapping[str, float], name: str, digits: int) -> str:
    """A figure, with its interval where that says more."""
    value, low, high = (f"{row[key]:.{digits}f}" for key in (name, f"{name}_low", f"{name}_high"))
    return value if low == high else f"{value}<br><sub>{low} to {high}</sub>"


def deal(difficulty: int, seed: int) -> Game:
    """The game that an environment with this ``game_seed`` and difficulty has."""
    return generate(seed, "train", setting(difficulty), permuted=difficulty >= PERMUTED)


def _bounds(name: str, bounds: tuple[float, ...]) -> dict[str, float]:
    return {f"{name}_low": float(bounds[0]), f"{name}_high": float(bounds[1])}


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment of an episode."""

    codes: Array  # [H, W] uint8, the grid with the agent in it
    tiles: Array  # [CODES, 8, 8, 3] uint8, how the game draws each code
    hand: int  # code carried
    clock: int
    told: str  # a caption; empty where the last action only moved


def pictures(folder: Path) -> list[str]:
    """Draw the pictures of the page into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for difficulty, seed in SHOWN.items():
        drawn[f"difficulty-{difficulty}"] = strip(chosen(list(watch(deal(difficulty, seed), seed))))
    difficulty, seed = TOLD
    game = deal(difficulty, seed)
    codes = generate(seed, "T1", game.setting, permuted=difficulty >= PERMUTED)
    drawn["rules"] = legend(game)
    firsts = [f"level {level} begins with the {NOUNS[game.tables['things'][level - 1, 0, 0]]}" for level in LEVEL]
    drawn["levels"] = strip([at_start(game, seed, level, told) for level, told in zip(LEVEL, firsts)])
    drawn["new"] = strip(
        [
            at_start(game, seed, 1, "a game in one episode"),
            at_start(game, seed + 1, 1, "the same game in another episode"),
            at_start(codes, seed, 1, "the same rules with other codes (T1)"),
            at_start(deal(difficulty, seed + 1), seed, 1, "another game"),
        ]
    )
    paths = {folder / f"{name}.png": picture for name, picture in drawn.items()}
    for path, picture in paths.items():
        picture.save(path, optimize=True)
    return [str(path) for path in paths]


def watch(game: Game, seed: int) -> Iterator[Frame]:
    """An episode of level 1 as the solver plays it, in the layout that ``reset(seed=seed)`` begins with."""
    bench = Bench.make(seed)
    rules, world, mind = game.tables[None][0], bench.world[0], bench.mind[0]
    terms = Terms(game.setting.size, game.setting.limit, 1, DAY)
    players.know(rules, mind)
    players.solve(rules, world, terms, mind, bench.plan)
    actions = mind["past"][: world["clock"]].tolist()
    world["episode"] = 0
    begin(rules, world, terms)
    yield _frame(game, world, "the start")
    for action in actions:
        before = world.copy()
        advance(rules, world, terms, action)
        yield _frame(game, world, event(game, before, world))


def at_start(game: Game, seed: int, level: int, told: str) -> Frame:
    """The layout of a level that ``reset(seed=seed)`` begins with."""
    world = Bench.make(seed).world[0]
    begin(game.tables[None][0], world, Terms(game.setting.size, game.setting.limit, level, DAY))
    return _frame(game, world, told)


def event(game: Game, before: Array, now: Array) -> str:
    """What the last action did, in words; empty where it only moved. Worlds before and after it."""
    step = (-game.setting.size, 1, game.setting.size, -1)[now["face"]]
    cell = before["pos"] + step
    front, beyond, item = (NOUNS[code] for code in (before["grid"][cell], before["grid"][cell + step], before["hand"]))
    sound = int(now["sound"])
    if sound == RIPEN:
        waited, made = (NOUNS[world["grid"][before["timed"]]] for world in (before, now))
        return f"by itself the {waited} turns into {_a(made)}"
    if sound == STEP and before["grid"][cell] != game.tables["ground"][0]:
        return "goes through the pad" if before["grid"][cell] == game.tables["ground"][2] else f"{PUSH} the {front}"
    if sound not in (WIN, CHANGE):
        return {GRASP: f"takes the {front}", DROP: f"{DOWN} the {item}"}.get(sound, "")
    pushed = now["action"] != USE and now["pos"] == cell
    done = f"pushes the {front} onto the {beyond}" if pushed else f"walks against the {front}"
    done = f"uses the {item} on the {front}" if now["action"] == USE else done
    made = NOUNS[now["grid"][cell + step if pushed else cell]]
    return f"{done} and wins" if now["success"] else f"{done}: now {_a(made)}"


def chosen(frames: list[Frame]) -> list[Frame]:
    """Start, end and where something happens, with others between where that is little: 4 to `MOST_FRAMES`."""
    last = len(frames) - 1
    kept = {0, last} | {i for i in range(1, last) if frames[i].told not in ("", frames[i - 1].told)}
    if len(kept) > MOST_FRAMES:
        kept -= {i for i in kept - {last} if frames[i].told.startswith((DOWN, PUSH))}
    while len(kept) < min(FEWEST_FRAMES, len(frames)):
        wide, left = max((b - a, a) for a, b in pairwise(sorted(kept)))
        kept.add(left + wide // 2)
    return [frames[i] for i in [*sorted(kept - {last})[: MOST_FRAMES - 1], last]]


def strip(frames: list[Frame]) -> Any:
    """Frames in rows of equal length, where that is possible, each with its caption."""
    from PIL import Image

    drawn = [_drawn(frame) for frame in frames]
    high, wide = drawn[0].shape[:2]
    rows = -(-len(drawn) // MOST_COLUMNS)
    columns = -(-len(drawn) // rows)
    canvas = Image.new("RGB", (columns * (wide + GAP) - GAP, rows * (high + GAP) - GAP), PAPER)
    for number, pixels in enumerate(drawn):
        row, column = divmod(number, columns)
        canvas.paste(Image.fromarray(pixels), (column * (wide + GAP), row * (high + GAP)))
    return canvas.quantize(COLOURS)


def legend(game: Game) -> Any:
    """The start of level 1 over the tile and the noun of everything that can come up in a game."""
    from PIL import Image, ImageDraw, ImageFont

    frame = at_start(game, game.seed, 1, "")
    grid = _drawn(frame)[: len(frame.codes) * TILE * SCALES[len(frame.codes)]]
    told = " ".join(words.tell(game.tables))
    things = sorted(code for code, noun in enumerate(NOUNS) if f" {noun}" in told)
    things.append(int(frame.codes[tuple(np.argwhere(np.isin(frame.codes, game.tables["ground"][3:]))[0])]))
    rows, (high, wide) = -(-len(things) // 2), grid.shape[:2]
    canvas = Image.new("RGB", (wide, high + GAP + rows * ROW), DARK)
    canvas.paste(Image.fromarray(grid), (0, 0))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(LETTERS)
    for number, code in enumerate(things):
        column, row = divmod(number, rows)
        left, top = GAP + column * wide // 2, high + GAP + row * ROW
        canvas.paste(Image.fromarray(frame.tiles[code].repeat(2, 0).repeat(2, 1)), (left, top))
        draw.text((left + 26, top + 2), "you" if code == things[-1] else NOUNS[code], PAPER, font, "lt")
    return canvas.quantize(COLOURS)


def _drawn(frame: Frame) -> Array:
    """One frame with its caption in two lines, uint8 [H, W, 3]."""
    scale = SCALES[len(frame.codes)]
    told = frame.told or "walks on"
    pixels = render.picture(
        frame.codes, frame.tiles, scale, carried=frame.hand, clock=frame.clock, mission=told, lines=2
    )
    return pixels[: len(frame.codes) * TILE * scale + CAPTION]


def _frame(game: Game, world: Array, told: str) -> Frame:
    size, look, ground = game.setting.size, game.tables["look"], game.tables["ground"]
    codes = look[world["grid"][: size * size]].reshape(size, size)
    codes[divmod(int(world["pos"]), size)] = ground[3 + world["face"]]
    tiles = sprites.sheet(int(ground[0]), int(ground[1]), [int(code) for code in ground[3:]], game.seed)
    return Frame(codes, tiles, int(look[world["hand"]]), int(world["clock"]), told)


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


if __name__ == "__main__":
    main()
