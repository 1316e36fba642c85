// The moment: what was seen, done, weighed and remembered at one step of one episode.

const BY = { search: "by search", line: "going on with its line", habit: "by habit" };
const SHORT = { forward: "fwd", pickup: "pick", toggle: "toggle" };
const state = { e: 0, t: 0, playing: 0 };

function act(action) { return data.actions[action] ?? "action " + action; }
function task(number) { return data.tasks[number] ?? "task " + number; }
function episode() { return data.episodes[state.e]; }

// A step leaves out what is as it was shown last.
function last(name, e = episode(), t = state.t) {
  for (let i = t; i >= 0; i--) if (e.steps[i][name] !== undefined) return [e.steps[i][name], i];
  return [undefined, -1];
}

function why(step) {
  const does = act(step.action);
  if (step.by === "habit") return `${does}: habit alone, sure of it at ${plain(step.habit[1], 3)}.`;
  if (step.by === "line") {
    const [plan, at] = last("plan"), ago = state.t - at;
    const kept = step.foretold === true ? " What it sees is what that foretold." : "";
    return plan ? `${does}: it goes on with the line that search found ${ago} step${ago === 1 ? "" : "s"} ago.${kept}` : `${does}: it goes on with its line.${kept}`;
  }
  const line = step.lines && step.lines[0], steps = step.plan ? step.plan[1] : 0;
  const lost = step.foretold === false ? " It had foretold something else, so it searched anew." : "";
  if (!step.plan || !steps) return `${does}: search found nothing worth doing; it drew from its habit.${lost}`;
  const end = step.known ? "to what it knows to pay" : line && line.paid > line.value / 2 ? "to a likely reward" : "to what it does not know yet";
  return `${does}: search found a line of ${count(steps, "step")} ${end}, worth ${plain(step.plan[0])}.${lost}`;
}

function bars(step) {
  const weights = step.weights || (step.by === "line" ? step.prior.map((_, i) => (i === step.action ? 1 : 0)) : null);
  const kind = step.by === "line" ? "line" : "search";
  const rows = step.prior.map((prior, i) => {
    const mine = i === step.action, weight = weights ? weights[i] : 0;
    const told = `${weights ? plain(weight) : "–"} | ${plain(prior)}`;
    return make("div", { class: "row" + (mine ? " chosen" : ""), role: "listitem", "aria-label": `${act(i)}${mine ? ", done" : ""}: search ${weights ? plain(weight) : "none"}, habit ${plain(prior)}` },
      make("span", { text: mine ? "▸" : "", "aria-hidden": "true" }), make("span", { text: act(i) }),
      make("span", { class: "track" }, make("i", { class: kind, style: { width: percent(weight), visibility: weights ? "" : "hidden" } }), make("i", { class: "habit", style: { width: percent(prior) } })),
      make("span", { class: "number", text: told }));
  });
  // Of many actions those are shown that anything speaks for.
  const shown = rows.length <= 12 ? rows : rows.map((row, i) => [row, (weights ? weights[i] : 0) + step.prior[i] + 9 * (i === step.action)]).sort((a, b) => b[1] - a[1]).slice(0, 10).map(([row]) => row);
  $("bars").replaceChildren(...shown);
}

function chips(actions, begun = 0) {
  const found = [];
  actions.forEach((action, i) => {
    const before = found[found.length - 1];
    if (before && before.action === action && i !== begun && i !== begun + 1) before.times++;
    else found.push({ action, times: 1, at: i });
  });
  return found.map(({ action, times, at }) => make("span", { class: "chip" + (at === begun ? " now" : ""), text: (SHORT[act(action)] || act(action)) + (times > 1 ? " ×" + times : "") }));
}

function lines(step) {
  const [found, at] = step.by === "habit" ? [undefined, -1] : last("lines");
  const old = step.by === "line" && at >= 0;
  if (!found || (step.by === "search" && !step.lines)) {
    $("lines").replaceChildren(make("p", { class: "quiet", text: step.by === "habit" ? "It did not search." : "Search weighed no line that is worth anything." }));
    return;
  }
  const shown = old ? found.slice(0, 1) : found;
  const rows = shown.map((line) => {
    const pays = line.paid > line.value / 2;
    return make("li", {}, make("span", { class: "worth", text: plain(line.value, 3) }), make("span", { class: "chips" }, ...chips(line.actions, old ? state.t - at : 0)),
      make("small", { class: pays ? "good" : "", text: pays ? "★ pays" : "? finds out" }));
  });
  const told = old ? `Found ${state.t - at} step${state.t - at === 1 ? "" : "s"} ago.` : `Best line by first action, after ${count(step.plan[2], "imagined scene")}.`;
  $("lines").replaceChildren(make("ol", {}, ...rows), make("p", { class: "caption", text: told }));
}

function maps(step) {
  const facing = episode().facing, [map] = last("map"), pose = step.pose;
  if (map && pose) chart($("map"), map, pose, facing, episode().task);
  $("map").hidden = !(map && pose);
  const held = map && words(map.holds);
  $("mapped").textContent = map && pose ? (held && held !== "empty" && held !== "unseen" ? `It holds ${held}.` : "") : "It has no map here yet.";
  const [future, at] = step.by === "habit" ? [undefined, -1] : step.by === "search" ? [step.future, state.t] : last("future");
  const there = future && !(step.by === "line" && at < last("lines")[1]);
  $("future").hidden = !there;
  if (there && future.cells) chart($("future"), future, future.pose || [0, 0, 0], facing, episode().task);
  else if (there) view($("future"), future.view, 150, episode().task);
  $("led").textContent = there ? "As it is imagined at the line's end." : step.by === "habit" ? "Habit looks no further." : "Nothing is imagined there.";
}

function beside(step) {
  const [said] = last("beside"), parts = [];
  for (const [name, value] of Object.entries(said || {})) {
    const heading = name === "direction" && across && HEADINGS[value[0]];
    parts.push(make("div", {}, make("span", { class: "quiet", text: name + "  " }), make("b", { text: typeof value === "string" ? value : heading || value.map((v) => plain(v, Number.isInteger(v) ? 0 : 2)).join("  ") })));
  }
  $("beside").replaceChildren(...(data.shape ? parts : [values(said)]));
}

function habit(step) {
  const news = [];
  if (step.reward) news.push(`reward ${plain(step.reward)}`);
  news.push(step.salience > 0 ? `written with salience ${plain(step.salience)}: it taught something new` : "written; it taught nothing new");
  if (step.new) news.push("a scene never seen before");
  const told = [make("div", {}, "Habit expects ", make("b", { text: plain(step.habit[0]) }), ", is sure at ", make("b", { text: plain(step.habit[1], 3) }))];
  if (step.by === "search" && step.plan) told.push(make("div", {}, "Search expects ", make("b", { text: plain(step.plan[0]) }), ` in ${count(step.plan[1], "step")}, ${count(step.plan[2], "node")}`));
  told.push(make("div", {}, "What came of it: ", make("b", { text: news.join("; ") })));
  $("habit").replaceChildren(...told);
}

function recalled(step) {
  const [found, at] = last("recalled"), now = at === state.t;
  $("likeness").textContent = !found ? "No memory was looked for." : (now ? "" : `As recalled ${state.t - at} step${state.t - at === 1 ? "" : "s"} ago. `) +
    "The remembered scenes nearest to this one. Search reads what all memories together say of such moments, not these alone.";
  $("recalled").replaceChildren(...(found || []).map((memory) => {
    const picture = make("canvas", { role: "img", "data-size": "110" });
    view(picture, memory.view, 110, memory.task ?? episode().task);
    const age = memory.day === undefined ? "just now" : memory.day === episode().day ? "today" : `${episode().day - memory.day} day${episode().day - memory.day === 1 ? "" : "s"} old`;
    const worth = memory.salience === undefined ? "" : `salience ${plain(memory.salience)}`;
    return make("figure", {}, data.shape ? picture : values(memory.beside), make("figcaption", {}, make("b", { text: `${plain(memory.like, 3)} alike` }), make("br"), age, make("br"), worth));
  }));
}

function course() {
  const e = episode(), box = $("course"), wide = Math.max(280, box.clientWidth), high = 74, base = 52;
  const n = e.steps.length, x = (t) => 8 + ((wide - 16) * (t + .5)) / n, w = (wide - 16) / n;
  const svg = vector("svg", { viewBox: `0 0 ${wide} ${high}`, height: high, role: "img", "aria-label": `Reward and salience over the ${n} steps; the cursor stands at step ${state.t + 1}` });
  const most = Math.max(...e.steps.map((s) => Math.abs(s.reward)), 1e-9);
  svg.append(vector("line", { x1: 8, x2: wide - 8, y1: base, y2: base, stroke: ink("line") }));
  let path = "";
  e.steps.forEach((s, t) => {
    const y = base - s.salience * (base - 14);
    path += `${t ? "L" : "M"}${(x(t) - w / 2).toFixed(1)} ${y.toFixed(1)}L${(x(t) + w / 2).toFixed(1)} ${y.toFixed(1)}`;
    const fill = s.by === "search" ? ink("day") : s.by === "habit" ? ink("night") : ink("day");
    svg.append(vector("rect", { x: x(t) - w / 2 + .5, y: base + 6 + (s.by === "habit" ? 4 : 0), width: Math.max(1, w - 1), height: s.by === "habit" ? 6 : 10, fill, opacity: s.by === "line" ? .4 : 1 }));
    if (s.reward) svg.append(vector("line", { x1: x(t), x2: x(t), y1: base, y2: base - (s.reward / most) * (base - 12), stroke: ink("good"), "stroke-width": 3 }));
    if (s.foretold === false) svg.append(vector("path", { d: `M${x(t) - 5} 10L${x(t)} 1L${x(t) + 5} 10Z`, fill: ink("bad") }));
  });
  svg.append(vector("path", { d: path, fill: "none", stroke: ink("ink"), "stroke-width": 1.5 }));
  svg.append(vector("line", { x1: x(state.t), x2: x(state.t), y1: 0, y2: high, stroke: ink("ink"), "stroke-width": 2 }));
  svg.append(vector("circle", { cx: x(state.t), cy: base, r: 5, fill: ink("ink"), stroke: ink("paper"), "stroke-width": 2 }));
  svg.addEventListener("click", (event) => {
    const spot = svg.getBoundingClientRect();
    go(state.e, Math.floor((((event.clientX - spot.left) / spot.width) * wide - 8) / w));
  });
  box.replaceChildren(svg);
}

function moment() {
  const e = episode(), step = e.steps[state.t];
  $("why").textContent = why(step)[0].toUpperCase() + why(step).slice(1);
  $("said").textContent = step.said;
  $("place").textContent = `step ${e.first + state.t + 1} of ${e.length}`;
  $("by").textContent = BY[step.by] || step.by;
  view($("frame"), step.view, 280, e.task);
  beside(step); bars(step); lines(step); habit(step); maps(step); recalled(step); course();
}
