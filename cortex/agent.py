"""The agent: a frozen set of parts. Acting reads, observing writes rows, sleeping writes weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cortex import latent
from cortex.arbitration import arbitrate
from cortex.config import Config
from cortex.imagination import Imagination, WholeModel
from cortex.mapped import MappedModel
from cortex.modules import planner
from cortex.modules.body_image import BodyImage
from cortex.modules.codebook import Codebook
from cortex.modules.context import Carry as ContextCarry
from cortex.modules.context import Context
from cortex.modules.encoders import Senses
from cortex.modules.habit import HabitPolicy
from cortex.modules.hippocampus.memory import Hippocampus
from cortex.modules.motor import Line, Motor
from cortex.modules.multimodal import Multimodal
from cortex.modules.threads import one_thread
from cortex.modules.world_model import WorldModel
from cortex.outlook import outlook
from cortex.own import Own
from cortex.patience import Patience
from cortex.replay import relearn, relearn_worlds
from cortex.types import UNSEEN, Array, Habit, Outcome, Plan, Recall, Scene, Sensed, State, either, join, take

if TYPE_CHECKING:
    from cortex.envs.make import Environment
    from cortex.remember import Remembered

LEAD = 0.9
"""Share of the trusted confidence from which the habit goes before a search that knows of nothing that pays."""


@dataclass(frozen=True, slots=True)
class Carry:
    """What travels from one step to the next."""

    context: ContextCarry
    situation: Array  # [B]
    line: Line
    patience: Patience


@dataclass(frozen=True, slots=True)
class Tree:
    """What a search imagined; without layers where none was made, or in latents."""

    model: Any  # the imagination that was searched
    rows: Array  # [n] bodies for which it was
    layers: list[planner.Layer]


@dataclass(frozen=True)
class Trace:
    """What the agent perceived, remembered and thought at one step, for ``bodies`` in one world."""

    carry: Carry
    state: State
    sensed: Sensed  # without what shows noise
    codes: Array  # [B, N], with it
    situation: Array  # [B] int32, recognised when the episode began
    recalling: Callable[[], Recall]
    habit: Habit
    plan: Plan
    searched: Array  # [B] bool, this step's action came from a search made now
    followed: Array  # [B] bool, it came from a line that search had found before
    tree: Tree  # what that search imagined
    bodies: Array  # [B] which of all bodies they are
    elsewhere: tuple[Trace, ...] = ()  # of bodies in other worlds

    @property
    def parts(self) -> tuple[Trace, ...]:
        """One for each world that bodies are in."""
        return self, *self.elsewhere

    @cached_property
    def recall(self) -> Recall:
        """What was like this, among the scenes known before: looked for when it is asked, since that takes long."""
        return self.recalling()


@dataclass(frozen=True, repr=False)
class Agent:
    """The parts of one mind. Parts are not swapped: nights change their tensors in place, ``lesioned`` makes another
    agent."""

    config: Config
    senses: Senses
    multimodal: Multimodal
    codebook: Codebook
    context: Context
    hippocampus: Hippocampus
    habit: HabitPolicy
    body_image: BodyImage
    imagination: Imagination
    motor: Motor
    space: Any  # gymnasium action space of one body
    observation_space: Any
    own: Own = field(default_factory=Own)  # what its user made of it
    bodies: Any = None  # the vector environment that it learns in, where it has one
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))  # for `predict` alone

    def __repr__(self) -> str:
        lesions = f", lesion={','.join(self.config.lesion)}" if self.config.lesion else ""
        lived = f"{self.hippocampus.store.steps} steps remembered, {int(self.habit.nights)} nights kept"
        return f"Agent({self.motor.actions} actions, {lived}{lesions})"

    def perceive(self, observation: Any) -> Sensed:
        """What the senses tell of a batched observation. Once for each: acting and observing both take it."""
        scene = self.senses(observation)
        return Sensed(scene, self.multimodal(scene), self.codebook.encode(scene.tokens, scene.mask))

    def steady(self, sensed: Sensed) -> Sensed:
        """What was sensed without the cells that are known to show noise."""
        codes = self.hippocampus.own_body.volatility.steady(sensed.codes)
        if codes is sensed.codes:
            return sensed
        scene = self.context.scene(codes)
        return Sensed(scene, self.multimodal(scene), codes)

    def sure(self, habit: Habit, situation: Array, trust: float) -> Array:
        """Whether the habit is sure enough [B]: confident by ``trust``, and by less where search can be relied on less;
        never by more than 1."""
        return np.asarray((trust <= 1) & (habit.confidence >= trust * self.hippocampus.reliance(situation)))

    def around(self, state: State) -> Scene:
        """What the habit sees: the surroundings, which the cortex makes out itself where memory does not know the body;
        else the present scene."""
        if state.place is None and len(self.context.grid):
            cells = state.codes[:, self.context.grid]
            own, chance, facing = self.body_image(self.codebook.decode(cells), cells != UNSEEN)
            found = (own >= 0) & (chance >= self.config.body_image.trust)
            if found.any():
                around = self.context.centred(state.codes, own, facing, int(self.body_image.held))
                return around if found.all() else either(found, around, state.scene)
        return state.scene

    @one_thread()
    def act(
        self,
        carry: Carry,
        sensed: Sensed,
        first: Array,
        generator: np.random.Generator,
        temperature: float | None = None,
        idle: Array | None = None,
    ) -> tuple[Array, Carry, Trace]:
        """One action for each of B bodies, by what they ``sensed``; ``first`` [B] marks those that begin an episode,
        ``idle`` [B] those whose action will be ignored. Changes neither rows nor weights. Bodies in different worlds
        act apart: what is known of one is of no use in another."""
        codes, seen = sensed.codes, self.steady(sensed)
        situation = self.hippocampus.recognise(seen.codes, seen.percept.latent, first, carry.situation)
        if (situation != situation[0]).any():
            return self._apart(situation, carry, sensed, first, generator, temperature, idle)
        sensed = seen
        motions = self.imagination.motions(situation[0])
        around = int(self.habit.nights) > 0  # before, nobody asks what is around
        context, state = self.context(carry.context, sensed, first, motions, around)
        follows = self.motor.follows(carry.line, self.imagination.sign(state), first)
        # However confident it is, in a game that no night has learned of the habit only guesses: there a plan goes on,
        # as does one that was made since memory objected to the habit.
        familiar = self.hippocampus.familiar(situation)
        may = ~follows | familiar & ~carry.line.firm
        # Who cannot search looks at what it is unsure of from all sides; who can asks search, which knows better.
        unsure = 0.0 if self.config.planner.simulations else self.config.habit.unsure
        habit = self.habit(self.around(state), may, unsure)
        spot = self.context.spot(state, int(self.body_image.held))
        habit, sure, held = arbitrate(self, habit, state, situation, familiar & may, carry.line, spot, first)
        wanted = ~follows & ~sure & (True if idle is None else ~idle)
        plan, tree, patience = self.plan(state, situation, habit, wanted, carry.patience.begun(first))
        action, line = self.motor(carry.line, follows & ~sure, plan, held, spot, first, generator, temperature)
        carry = Carry(replace(context, action=action), situation, line, patience)
        recalling = partial(self.hippocampus.recall, sensed.percept, situation, len(self.hippocampus.scenes))
        decided = plan.nodes > 0, follows & ~sure
        bodies = np.arange(len(first))
        trace = Trace(carry, state, sensed, codes, situation, recalling, habit, plan, *decided, tree, bodies)
        return action, carry, trace

    def _apart(
        self, situation: Array, carry: Carry, sensed: Sensed, first: Array, generator: np.random.Generator,
        temperature: float | None, idle: Array | None,
    ) -> tuple[Array, Carry, Trace]:  # fmt: skip
        worlds = [np.flatnonzero(situation == world) for world in np.unique(situation)]
        idle = np.zeros(len(first), bool) if idle is None else idle
        parts = [
            self.act(take(carry, rows), take(sensed, rows), first[rows], generator, temperature, idle[rows])
            for rows in worlds
        ]
        order = np.argsort(np.concatenate(worlds))
        action = np.concatenate([action for action, *_ in parts])[order]
        carry = take(join([carry for _, carry, _ in parts]), order)
        here, *elsewhere = (replace(trace, bodies=rows) for rows, (*_, trace) in zip(worlds, parts, strict=True))
        return action, carry, replace(here, elsewhere=tuple(elsewhere))

    def observe(self, trace: Trace, action: Array, outcome: Outcome) -> None:
        """Take in what came of ``action``: the only writer by day. Rows, and the statistics that follow from them."""
        volatile, changed = self.hippocampus.own_body.volatility.version, list[int]()
        for part in trace.parts:
            apart = (action[part.bodies], take(outcome, part.bodies)) if trace.elsewhere else (action, outcome)
            changed += self._observe(part, *apart)
        if self.hippocampus.own_body.volatility.version != volatile:
            relearn(self)
        elif changed:
            relearn_worlds(self, changed)

    def _observe(self, trace: Trace, action: Array, outcome: Outcome) -> list[int]:
        sensed, first = self.steady(outcome.sensed), np.zeros(len(action), bool)
        carry = trace.carry.context
        carry = carry if carry.action is action else replace(carry, action=action)
        motions = self.imagination.motions(trace.situation[0])
        _, after = self.context(carry, sensed, first, motions, around=False)
        percepts, codes = (trace.sensed.percept, sensed.percept), (trace.codes, outcome.sensed.codes)
        return self.hippocampus.observe(
            trace.state, trace.situation, percepts, codes, action, outcome, after, trace.bodies
        )

    def drop(self, bodies: list[int]) -> None:
        """Forget the unfinished episodes of ``bodies``, rows and statistics: nothing of a faulty episode is kept."""
        if self.hippocampus.drop(bodies):
            self.hippocampus.recollect()
            relearn(self)

    def calm(self) -> Agent:
        """The same agent without curiosity and cooler: one that will not learn from what it tries should do what it
        knows."""
        return replace(self, imagination=self.imagination.calm(), motor=self.motor.cooled(self.config.motor.calm))

    def weights(self) -> dict[str, Any]:
        """All that nights change, by name: tensors of the habit, of the body image and of the world model."""
        return {
            f"{part}.{name}": value
            for part, network in self._networks().items()
            for name, value in network.state_dict().items()
        }

    def restore(self, weights: dict[str, Any]) -> None:
        """Put weights, as given by `weights`, back in place."""
        for part, network in self._networks().items():
            prefix = f"{part}."
            network.load_state_dict({n.removeprefix(prefix): v for n, v in weights.items() if n.startswith(prefix)})

    def _networks(self) -> dict[str, HabitPolicy | BodyImage | WorldModel]:
        return {"habit": self.habit, "body_image": self.body_image, "world_model": self.imagination.world_model}

    def command(self, action: Array) -> Array:
        """What the environment is told: actions [B, ...] of its own space."""
        return self.motor.codec(action)

    def initial(self, bodies: int) -> Carry:
        """What a step is handed when nothing came before it."""
        line, patience = self.motor.initial(bodies), Patience.fresh(bodies)
        return Carry(self.context.initial(bodies), np.zeros(bodies, np.int32), line, patience)

    def plan(
        self, state: State, situation: Array, habit: Habit, wanted: Array, patience: Patience
    ) -> tuple[Plan, Tree, Patience]:
        """Search for the bodies that want it, what it imagined, and the patience that is left; the habit's prior for
        the others."""
        settings = self.config.planner
        bodies, actions = len(wanted), self.motor.actions
        plan = planner.nothing(bodies, actions, habit.prior)
        rows = np.flatnonzero(wanted) if settings.simulations > 0 else np.zeros(0, np.int64)
        if len(rows) == 0:
            return plan, Tree(None, rows, []), patience
        whole = state if len(rows) == bodies else take(state, rows)
        model = self.imagination.model(whole, situation[rows])
        tree = Tree(model, rows, [])
        # Where search knows of nothing that pays, a habit that was slept on and is sure of itself knows better.
        leads = self.hippocampus.familiar(situation) & self.sure(habit, situation, LEAD * self.config.habit.trust)
        left, most = np.full(len(rows), np.inf), np.full(len(rows), settings.simulations)

        def look_out(long: Array) -> tuple[Array, Array]:
            if isinstance(model, MappedModel):
                left[long] = outlook(model, long)
                most[long] = patience.nodes(rows[long], left[long], settings.simulations)
            return left[long], most[long]

        found = self.search(model, habit.prior[rows], settings.simulations, tree.layers, leads[rows], look_out)
        return planner.put(plan, found, rows), tree, patience.after(rows, found, most, left)

    def search(
        self,
        model: MappedModel | WholeModel,
        prior: Array,
        simulations: int,
        layers: list[planner.Layer] | None = None,
        yields: Array | None = None,
        look_out: planner.Outlook | None = None,
    ) -> Plan:
        """What search finds for the B bodies of ``model``: best-first where scenes can be told apart, and in latents
        where they hardly ever come back. ``prior`` [B, A] stays where best-first finds nothing, or ``yields`` [B] and
        finds nothing that pays. ``layers`` is given those of a best-first tree; ``look_out`` is asked by a long one
        what is left to find."""
        settings, (bodies, actions) = self.config.planner, prior.shape
        if simulations > 0 and self.own.planner is not None:
            return self.own.planner(model, prior, simulations)
        if simulations > 0 and isinstance(model, WholeModel) and latent.fits(model):
            return latent.search(model, self.habit, simulations, settings.discount)
        return planner.search(
            model,
            model.roots(),
            bodies,
            actions,
            prior,
            simulations=simulations,
            discount=settings.discount,
            width=settings.width,
            depth=settings.depth,
            tree=layers,
            yields=yields,
            outlook=look_out,
        )

    def consider(self, state: State, situation: Array, simulations: int) -> tuple[Plan, float]:
        """What search alone would do in B states, no habit leading it and nothing being worth finding out; and the most
        that anything can be worth."""
        model = self.imagination.calm().model(state, situation)
        even = np.full((len(situation), self.motor.actions), 1 / self.motor.actions, np.float32)
        return self.search(model, even, simulations), model.top

    # The public face; see cortex.face

    @classmethod
    def make(cls, env: Environment, *overrides: str, seed: int = 0, own: Own | None = None) -> Agent:
        """A newborn agent for an environment: an id, a gymnasium environment, a maker of them or a vector of them.

        An id or a maker gives it ``life.bodies`` bodies, an environment one. ``overrides`` are block names and
        ``section.key=value`` lines, ``own`` are parts of your own in the place of ours. Raises CortexError for spaces
        that are not supported, ids that are not known and settings that cannot be used.
        """
        from cortex import face

        return face.make(env, *overrides, seed=seed, own=own)

    def learn(
        self,
        total_timesteps: int,
        progress_bar: bool = False,
        on_episode: Callable[[dict[str, Any]], object] | None = None,
    ) -> Agent:
        """Live ``total_timesteps`` environment steps, all bodies together; returns the agent itself.

        Every ``life.steps`` steps make a day, and a night follows it; a day that is not full goes on at the next call.
        ``on_episode`` gets {steps (of this call so far), length, return, success, fault} at the end of each episode;
        ``fault`` is None, or says what the environment answered wrongly: such an episode is not remembered.
        """
        from cortex import face

        return face.learn(self, total_timesteps, progress_bar, on_episode)

    def predict(
        self, observation: Any, state: Carry | None = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[Array, Carry]:
        """Actions for an observation, batched or not, as stable-baselines3 asks for them; nothing is learned.

        Hand the returned state to the next call: it is short-term memory. ``episode_start`` [B] marks bodies that begin
        an episode. ``stable_baselines3.common.evaluation.evaluate_policy(agent, env)`` works as it is. The vector
        environments of stable-baselines3 cannot hold words: there, give it ``cortex.envs.words.WordsAsBytes(env)``.
        """
        from cortex import face

        return face.predict(self, observation, state, episode_start, deterministic)

    def sleep(
        self,
        progress: Callable[[str, int, int, dict[str, float]], None] | None = None,
        tomorrow: Any = None,
    ) -> dict[str, Any]:
        """One night now; a new day follows. Returns what the night did, {} where ``sleep.steps`` is 0.

        ``progress`` gets part, update, of how many, losses. ``tomorrow``: an observation with which an episode
        begins, or a batch of them; of what is remembered of worlds like these the night learns more.
        """
        from cortex import face

        return face.sleep(self, progress, tomorrow=tomorrow)

    def recognise(self, observation: Any) -> Array:
        """The situation [B] that a first observation, or each of a batch of them, belongs to; a new number where it is
        like none."""
        batched = self.senses.is_batched(observation)
        sensed = self.perceive(observation if batched else self.senses.batch(observation))
        first, none = np.ones(len(sensed.codes), bool), np.zeros(len(sensed.codes), np.int32)
        return self.hippocampus.recognise(sensed.codes, self.steady(sensed).percept.latent, first, none)

    def digest(self) -> str:
        """sha256 of all weights: equal weights, equal digest."""
        from cortex.store import digest

        return digest(self.weights())

    def remember(self, words: str | Sequence[str], k: int = 5) -> list[Remembered]:
        """The ``k`` distinct remembered scenes that are most like ``words``, a sentence or several, nearest first.

        Needs ``multimodal.encoder=aligned``; each has similarity, episode, step, day and scene. Neither rows nor
        weights change. Raises CortexError where words and what was seen have no latent in common.
        """
        from cortex.remember import remember

        return remember(self, words, k)

    def save(self, folder: str | Path) -> None:
        """Write config.yaml, weights.safetensors, memory.sqlite and checkpoints/ to a folder.

        Raises CortexError where the folder holds a life, or cannot be written.
        """
        from cortex import face

        face.save(self, folder)

    @classmethod
    def load(cls, folder: str | Path, env: Environment | None = None, own: Own | None = None) -> Agent:
        """The agent that `save` or ``cortex live`` left in a folder. ``env`` is needed to learn on. No code is run:
        what it had of your ``own`` is given again.

        Raises CortexError for a folder that holds none, for damaged files, and for an environment of other spaces.
        """
        from cortex import face

        return face.load_agent(folder, env, own)

    def lesioned(self, *names: str) -> Agent:
        """Another agent with the lesions ``names`` of `cortex.LESIONS`, which shares this one's weights and codebook.

        A name may as well be an override line such as ``planner.novelty=0``. With the hippocampus cut the other has an
        empty memory of its own, with it set otherwise a copy; else the memory is shared too.
        """
        from cortex import face

        return face.lesioned(self, *names)
