// The page: the timeline, the keys, and what follows from where in the life one looks.

function go(e, t) {
  const moved = e !== state.e;
  state.e = Math.min(Math.max(e, 0), data.episodes.length - 1);
  state.t = Math.min(Math.max(t, 0), episode().steps.length - 1);
  if (moved) { $("episode").value = String(state.e); mark_now(); }
  moment();
  try { history.replaceState(null, "", `#${state.e}.${state.t}`); } catch { /* some browsers forbid it for files */ }
}

function play(on = !state.playing) {
  clearInterval(state.playing);
  state.playing = 0;
  if (on) {
    if (state.t === episode().steps.length - 1) go(state.e, 0);
    state.playing = setInterval(() => { if (state.t < episode().steps.length - 1) go(state.e, state.t + 1); else play(false); }, 600);
  }
  $("play").textContent = state.playing ? "❚❚" : "▶";
  $("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
}

function name(e, i) {
  const end = e.success ? "won" : e.terminated ? "lost" : "cut off";
  return `Day ${e.day} · ${task(e.task)} · ${e.length} step${e.length === 1 ? "" : "s"}, ${end}`;
}

// Days from left to right, a lane for each game, nights between.
function timeline() {
  const games = Object.keys(data.tasks).map(Number), lane = games.length > 4 ? 12 : 18, high = 24 + lane * games.length;
  const room = $("time").clientWidth, gap = 56, days = data.days;
  const label = Math.min(150, room * .25), wide = Math.max(90, (room - label - gap * days.length) / days.length), all = label + days.length * (wide + gap);
  const svg = vector("svg", { width: all, height: high, viewBox: `0 0 ${all} ${high}`, role: "img", "aria-label": `${days.length} days; the list below names their episodes` });
  games.forEach((g, i) => { const text = vector("text", { x: 0, y: 22 + lane * (i + .7), text: task(g).slice(0, Math.floor(label / 7)) }); text.append(vector("title", { text: task(g) })); svg.append(text); });
  days.forEach((day, column) => {
    const left = label + column * (wide + gap), n = data.nights.findIndex((other) => other.day === day);
    svg.append(vector("text", { x: left, y: 13, text: "Day " + day }), vector("rect", { x: left, y: 20, width: wide, height: lane * games.length, fill: ink("wash"), stroke: ink("line") }));
    data.episodes.forEach((e, i) => {
      if (e.day !== day) return;
      const steps = Math.max(data.lived.find(([d, g]) => d === day && g === e.task)?.[2] || 0, ...data.episodes.filter((o) => o.day === day && o.task === e.task).map((o) => o.lived));
      const size = Math.max(5, (e.length / steps) * wide), x = left + Math.min(wide - size, Math.max(0, (e.lived / steps) * wide - size));
      const rect = vector("rect", { class: "episode", "data-e": i, x, y: 22 + lane * games.indexOf(e.task), width: size - 1, height: lane - 4, rx: 2, fill: e.success ? ink("day") : ink("paper"), stroke: ink("day"), onclick: () => go(i, 0) });
      rect.append(vector("title", { text: name(e, i) }));
      svg.append(rect);
    });
    if (n >= 0) {
      const x = left + wide + 5, told = data.nights[n];
      const pick = () => { chosen.night = n; night(); $("night").scrollIntoView({ behavior: "smooth" }); };
      svg.append(vector("rect", { x, y: 20, width: gap - 12, height: lane * games.length, rx: 3, fill: ink("dusk"), onclick: pick, style: "cursor:pointer" }),
        vector("text", { x: x + (gap - 12) / 2, y: 13, "text-anchor": "middle", text: "night" }),
        vector("text", { x: x + (gap - 12) / 2, y: 24 + (lane * games.length) / 2, "text-anchor": "middle", style: "fill:#fff;pointer-events:none", text: `→${percent(told.agreement_after)}` }));
    }
  });
  $("time").replaceChildren(svg);
  mark_now();
}

function mark_now() {
  for (const rect of document.querySelectorAll("rect.episode")) {
    const now = Number(rect.dataset.e) === state.e;
    rect.setAttribute("stroke", now ? ink("ink") : ink("day"));
    rect.setAttribute("stroke-width", now ? 3 : 1);
  }
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !data.episodes.length) return;
  const at = event.target, plotted = at === $("plot");
  if (at.tagName === "SELECT" || at.tagName === "INPUT" || (event.key === " " && at.tagName === "BUTTON")) return;
  const moves = { ArrowLeft: () => go(state.e, state.t - 1), ArrowRight: () => go(state.e, state.t + 1), Home: () => go(state.e, 0), End: () => go(state.e, Infinity),
    " ": () => play(), n: () => go(state.e + 1, 0), p: () => go(state.e - 1, 0) };
  const walk = (by) => { const points = data.map.points; chosen.point = (chosen.point + by + points.length) % points.length; plot(); };
  const own = { ArrowLeft: () => walk(-1), ArrowRight: () => walk(1), ArrowUp: () => walk(-10), ArrowDown: () => walk(10) };
  const does = (plotted && own[event.key]) || moves[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!does) return;
  event.preventDefault();
  if (event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End") play(false);
  does();
}

function draw() { if (data.episodes.length) { timeline(); moment(); } night(); plot(); }

function open() {
  const groups = new Map();
  data.episodes.forEach((e, i) => {
    if (!groups.has(e.day)) groups.set(e.day, make("optgroup", { label: "Day " + e.day }));
    groups.get(e.day).append(make("option", { value: i, text: name(e, i) }));
  });
  $("episode").append(...groups.values());
  $("episode").addEventListener("change", () => go(Number($("episode").value), 0));
  for (const [id, does] of Object.entries({ start: () => go(state.e, 0), back: () => go(state.e, state.t - 1), play: () => play(), on: () => go(state.e, state.t + 1), stop: () => go(state.e, Infinity) })) $(id).addEventListener("click", does);
  document.addEventListener("keydown", keys);
  $("day").max = String(data.map.days || 1);
  $("day").value = $("day").max;
  $("day").addEventListener("input", plot);
  $("colour").addEventListener("change", plot);
  $("plot").addEventListener("pointermove", nearest);
  $("plot").addEventListener("pointerdown", nearest);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let width = window.innerWidth;
  window.addEventListener("resize", () => { if (window.innerWidth !== width) { width = window.innerWidth; draw(); } });
  const asked = location.hash.match(/^#(\d+)\.(\d+)$/);
  state.e = asked ? Math.min(Number(asked[1]), data.episodes.length - 1) : Math.max(0, data.episodes.findIndex((e) => e.success));
  state.t = asked && data.episodes.length ? Math.min(Number(asked[2]), episode().steps.length - 1) : 0;
  $("episode").value = String(state.e);
  if (!data.episodes.length) for (const id of ["moment", "strip", "like"]) $(id).hidden = true;
  draw();
}

open();
