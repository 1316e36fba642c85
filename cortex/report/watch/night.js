// The night: which memories were replayed and what came of it; and the map of what is remembered.

const chosen = { night: 0, point: 0 };

function night() {
  const n = data.nights[chosen.night];
  $("night").hidden = !n;
  if (!n) return;
  $("nights").replaceChildren(...data.nights.map((other, i) => make("button", { type: "button", text: String(other.day), "aria-label": `Night ${other.day}`, "aria-pressed": String(i === chosen.night), onclick: () => { chosen.night = i; night(); } })));
  const end = n.rolled_back ? " It was undone: it had made things worse." : "";
  $("slept").textContent = `Of its memories it searched ${plain(n.chosen, 0)} moments again, ${plain(n.dreamed, 0)} of them dreamed on from one that was lived, and learned from them ${plain(n.replays, 0)} times in ${plain(n.updates, 0)} updates. ` +
    `Its habit agreed with search in ${percent(n.agreement_before)} of the moments kept aside before, and in ${percent(n.agreement_after)} after.${end}`;
  const most = Math.max(...n.groups.map((g) => g.replays), 1);
  $("groups").replaceChildren(table(["day", "game", "moments", "dreamed", "replays", ""], n.groups.map((g) => [g.day, `${task(g.task)} ${MARKS[g.situation % MARKS.length]}${g.situation}`, plain(g.lessons, 0), plain(g.dreamed, 0), plain(g.replays, 0), bar(g.replays / most)]), [2, 3, 4]));
  curves(n); order(n); memories(n); examples(n);
}

function bar(share) { return make("i", { style: { width: percent(share) } }); }

function table(names, rows, right = []) {
  const cell = (tag, value, i) => { const made = make(tag, { class: right.includes(i) ? "right" : value instanceof Element && value.tagName === "I" ? "wide" : "" }); made.append(value); return made; };
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...names.map((name, i) => cell("th", name, i)))), make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((value, i) => cell("td", value, i)))))));
}

function curves(n) {
  const names = Object.keys(n.curves).filter((name) => n.curves[name].length > 1);
  $("curves").replaceChildren(...(names.length ? names.map((name, i) => {
    const points = n.curves[name], svg = vector("svg", { viewBox: "0 0 160 34", width: "100%", height: 34, preserveAspectRatio: "none", role: "img", "aria-label": `${name} from ${points[0][1]} to ${points[points.length - 1][1]}` }, curve(points, 160, 34, ink("night")));
    return make("div", { class: "row", style: { display: "grid", gridTemplateColumns: "minmax(0, 1fr) 1.2fr 104px", gap: "12px", alignItems: "center", padding: "3px 0" } }, make("span", { text: name }), svg, make("span", { class: "number", text: `${plain(points[0][1], 3)} → ${plain(points[points.length - 1][1], 3)}` }));
  }) : [make("p", { class: "quiet", text: "No losses were recorded of this night." })]));
}

function order(n) {
  $("order").replaceChildren(make("div", { class: "order" }, ...n.order.map(([memory, t, day, number, dreamed]) => make("i", { class: dreamed ? "dream" : "", text: String(day), title: `memory ${memory}, step ${t + 1}, day ${day}, ${task(number)}${dreamed ? ", dreamed on" : ""}`, style: { background: SERIES[number % SERIES.length] } }))));
  const games = [...new Set(n.order.map((replay) => replay[3]))].sort();
  $("ordered").textContent = "Moments are drawn by lot. The number is the day that was replayed, a dotted line a dream; " + games.map((g) => `${["blue", "orange", "green", "purple", "ochre", "light blue", "wine", "grey"][g % SERIES.length]}: ${task(g)}`).join(", ") + ".";
}

function memories(n) {
  const most = Math.max(...n.memories.map((m) => m[6]), 1);
  $("most").replaceChildren(table(["memory", "day", "game", "moments", "replays", ""], n.memories.filter((m) => m[6]).slice(0, 12).map(([number, day, game, situation, , lessons, replays]) => {
    const at = data.episodes.findIndex((e) => e.memory === number);
    const name = at < 0 ? String(number) : make("button", { type: "button", text: String(number), title: "Watch this episode", onclick: () => { go(at, 0); $("why").scrollIntoView(); } });
    return [name, day, `${task(game)} ${MARKS[situation % MARKS.length]}${situation}`, plain(lessons, 0), plain(replays, 0), bar(replays / most)];
  }), [3, 4]));
}

function examples(n) {
  $("examples").replaceChildren(...n.examples.map((x) => {
    const picture = make("canvas", { role: "img", "data-size": "96" });
    view(picture, x.view, 96, x.task);
    const best = new Set(x.best), top = [...x.search.keys()].sort((a, b) => x.search[b] + x.after[b] - x.search[a] - x.after[a]).slice(0, 3);
    const rows = top.map((a) => make("div", { class: "change", role: "listitem", "aria-label": `${act(a)}: ${plain(x.before[a])} before, ${plain(x.after[a])} after${best.has(a) ? ", best by search" : ""}` },
      make("span", { text: (best.has(a) ? "★ " : "") + act(a) }), make("span", { class: "track" }, make("i", { class: "before", style: { width: percent(x.before[a]) } }), make("i", { class: "habit", style: { width: percent(x.after[a]) } }))));
    return make("figure", {}, data.shape ? picture : values(x.beside), make("figcaption", { text: `day ${x.day}, ${task(x.task)}, replayed ${x.times} times` }), make("div", { role: "list" }, ...rows));
  }));
  if (!n.examples.length) $("examples").append(make("p", { class: "quiet", text: "No moment that was lived was learned from." }));
}

// The map of memories

function plot() {
  const map = data.map, points = map.points;
  $("remembered").hidden = !points.length;
  if (!points.length) return;
  const today = Number($("day").value), by = $("colour").value, element = $("plot");
  const wide = element.parentElement.clientWidth - (window.innerWidth > 700 ? 226 : 0), high = window.innerWidth > 700 ? 420 : 320;
  const pen = canvas(element, wide, high), place = (p) => [wide / 2 + p[0] * (wide / 2 - 16), high / 2 - p[1] * (high / 2 - 16)];
  const order = points.map((p, i) => i).filter((i) => points[i][2] <= today).sort((a, b) => points[a][2] - points[b][2]);
  for (const i of order) {
    const p = points[i], age = today - p[2], kept = map.retention[Math.round(p[4] * 10)][Math.min(age, map.days - 1)] ?? 1;
    pen.globalAlpha = Math.max(.12, kept ** 6);
    pen.fillStyle = by === "age" ? shade(1 - age / Math.max(1, map.days - 1)) : by === "4" ? shade(p[4]) : SERIES[p[3] % SERIES.length];
    spot(pen, ...place(p), by === "3" ? p[3] : 0, by === "4" ? 2.5 + 2.5 * p[4] : 3.5);
  }
  pen.globalAlpha = 1;
  const p = points[chosen.point];
  const [x, y] = place(p);
  pen.strokeStyle = ink("ink"); pen.lineWidth = 2; pen.beginPath(); pen.arc(x, y, 9, 0, 7); pen.stroke();
  element.spots = order.map((i) => [i, ...place(points[i])]);
  view($("scene"), p[7], 180, p[8]);
  $("told").textContent = `Memory ${p[5]}, step ${p[6] + 1}, day ${p[2]}; situation ${p[3]}, salience ${plain(p[4])}`;
  $("today").textContent = String(today);
  $("plane").textContent = `${plain(points.length, 0)} of ${plain(map.distinct, 0)} distinct remembered scenes, each at the latent by which it is recalled, in the plane of the first two principal components (${percent(map.share)} of the variance). ${order.length ? "" : "Nothing is remembered yet. "}What was lived earlier is paler, by the curve of forgetting.`;
  const situations = [...new Set(points.map((q) => q[3]))].sort((a, b) => a - b);
  const key = by === "3" ? situations.slice(0, 12).map((s) => [MARKS[s % MARKS.length], SERIES[s % SERIES.length], "situation " + s]) : by === "age" ? [["●", shade(1), "of today"], ["●", shade(0), "oldest"]] : [["●", shade(1), "salience 1"], ["●", shade(0), "0 (smaller)"]];
  $("key").replaceChildren(...key.map(([sign, colour, text]) => make("span", {}, make("b", { text: sign, style: { color: colour } }), " " + text)));
}

// From pale to deep, one hue: order shows without colour too.
function shade(share) { const s = Math.min(1, Math.max(0, share)), mix = (a, b) => Math.round(a + (b - a) * s); return `rgb(${mix(190, 0)},${mix(205, 90)},${mix(225, 160)})`; }

function spot(pen, x, y, kind, r) {
  pen.beginPath();
  switch (kind % 6) {
    case 0: pen.arc(x, y, r, 0, 7); break;
    case 1: pen.rect(x - r, y - r, 2 * r, 2 * r); break;
    case 2: pen.moveTo(x, y - r * 1.3); pen.lineTo(x + r * 1.2, y + r); pen.lineTo(x - r * 1.2, y + r); break;
    case 3: pen.moveTo(x, y - r * 1.4); pen.lineTo(x + r * 1.4, y); pen.lineTo(x, y + r * 1.4); pen.lineTo(x - r * 1.4, y); break;
    case 4: pen.moveTo(x, y + r * 1.3); pen.lineTo(x + r * 1.2, y - r); pen.lineTo(x - r * 1.2, y - r); break;
    default: pen.rect(x - r / 2.5, y - r * 1.2, r / 1.25, r * 2.4); pen.rect(x - r * 1.2, y - r / 2.5, r * 2.4, r / 1.25);
  }
  pen.fill();
}

function nearest(event) {
  const element = $("plot"), box = element.getBoundingClientRect(), [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let best = [-1, 400];
  for (const [i, px, py] of element.spots || []) { const apart = (px - x) ** 2 + (py - y) ** 2; if (apart < best[1]) best = [i, apart]; }
  if (best[0] >= 0 && best[0] !== chosen.point) { chosen.point = best[0]; plot(); }
}
