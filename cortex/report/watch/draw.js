"use strict";
// Pictures: cells of a grid on a canvas, curves and strips as SVG. Nothing that comes from the life is read as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SERIES = ["#0072B2", "#D55E00", "#009E73", "#AA4499", "#B8860B", "#56B4E9", "#882255", "#5b6270"];
const MARKS = "●■▲◆▼✚";
const COLOURS = [["red", "#D55E00"], ["green", "#009E73"], ["blue", "#0072B2"], ["purple", "#AA4499"], ["yellow", "#d8b400"], ["grey", "#7d8490"]];
const THINGS = ["unseen", "empty", "wall", "floor", "door", "key", "ball", "box", "goal", "lava", "agent"];
const DOORS = ["open", "closed", "locked"];
const HEADINGS = ["right", "down", "left", "up"];

function ink(name) { return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim(); }

function make(tag, values = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(values)) {
    if (name === "text") element.textContent = value;
    else if (name === "style") Object.assign(element.style, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...inside);
  return element;
}

function vector(tag, values = {}, ...inside) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(values)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...inside);
  return element;
}

function canvas(element, wide, high) {
  const scale = window.devicePixelRatio || 1;
  element.width = Math.round(wide * scale); element.height = Math.round(high * scale);
  element.style.width = wide + "px"; element.style.height = high + "px";
  const pen = element.getContext("2d");
  pen.scale(scale, scale);
  return pen;
}

// The task whose tiles are drawn, where its game has some.
let game = 0;
const tiles = new Map();

function tile(code) {
  const hex = data.looks[game]?.tiles[code];
  if (!hex) return null;
  if (!tiles.has(hex)) {
    const made = document.createElement("canvas"), picture = new ImageData(8, 8);
    made.width = made.height = 8;
    for (let i = 0; i < 64; i++) {
      for (let c = 0; c < 3; c++) picture.data[4 * i + c] = parseInt(hex.substr(6 * i + 2 * c, 2), 16);
      picture.data[4 * i + 3] = 255;
    }
    made.getContext("2d").putImageData(picture, 0, 0);
    tiles.set(hex, made);
  }
  return tiles.get(hex);
}

// What a code shows, in words.
function words(code) {
  const shown = data.palette[code];
  if (!code || !shown) return "";
  if (data.drawn !== "minigrid") return data.looks[game]?.names[shown[0]] ?? "code " + shown[0];
  const [thing, colour, state] = shown, name = THINGS[thing] || "thing " + thing;
  if (thing === 4) return `${DOORS[state] || ""} ${COLOURS[colour]?.[0] || ""} door`;
  return thing >= 5 && thing <= 7 ? `${COLOURS[colour]?.[0] || ""} ${name}` : name;
}

function mark(pen, text, x, y, size, fill) {
  pen.fillStyle = fill;
  pen.font = `600 ${Math.max(7, size)}px sans-serif`;
  pen.textAlign = "center"; pen.textBaseline = "middle";
  pen.fillText(text, x, y);
}

function cell(pen, code, x, y, s) {
  const shown = data.palette[code];
  pen.fillStyle = code ? ink("cell") : ink("unseen");
  pen.fillRect(x, y, s, s);
  if (!code || !shown) return;
  const middle = [x + s / 2, y + s / 2];
  if (data.drawn !== "minigrid" && tile(shown[0])) {
    pen.imageSmoothingEnabled = false;
    pen.drawImage(tile(shown[0]), x, y, s, s);
    return;
  }
  if (data.drawn !== "minigrid") {
    pen.fillStyle = SERIES[shown[0] % SERIES.length] + "55";
    pen.fillRect(x, y, s, s);
    mark(pen, String(shown[0]), ...middle, s * .45, ink("ink"));
    return;
  }
  const [thing, number, state] = shown, [name, colour] = COLOURS[number] || ["", ink("muted")];
  const letter = name === "grey" ? "Gy" : name ? name[0].toUpperCase() : "";
  pen.lineWidth = Math.max(1, s * .09); pen.strokeStyle = pen.fillStyle = colour;
  if (thing === 2) { pen.fillStyle = ink("wall"); pen.fillRect(x, y, s, s); }
  else if (thing === 3) { pen.globalAlpha = .3; pen.fillRect(x, y, s, s); pen.globalAlpha = 1; }
  else if (thing === 4) {
    if (state) { pen.globalAlpha = state === 2 ? 1 : .55; pen.fillRect(x + s * .06, y + s * .06, s * .88, s * .88); pen.globalAlpha = 1; }
    pen.strokeRect(x + s * .08, y + s * .08, s * .84, s * .84);
    if (state === 2) { pen.fillStyle = "#fff"; pen.beginPath(); pen.arc(x + s * .74, y + s * .5, s * .09, 0, 7); pen.fill(); }
    mark(pen, letter, x + s * .42, y + s * .52, s * .42, state === 2 ? "#fff" : ink("ink"));
  } else if (thing === 5) {
    pen.beginPath(); pen.arc(x + s * .62, y + s * .28, s * .15, 0, 7); pen.stroke();
    pen.beginPath(); pen.moveTo(x + s * .62, y + s * .43); pen.lineTo(x + s * .62, y + s * .86); pen.lineTo(x + s * .42, y + s * .86); pen.moveTo(x + s * .62, y + s * .68); pen.lineTo(x + s * .46, y + s * .68); pen.stroke();
    mark(pen, letter, x + s * .26, y + s * .34, s * .34, ink("ink"));
  } else if (thing === 6) { pen.beginPath(); pen.arc(...middle, s * .36, 0, 7); pen.fill(); mark(pen, letter, ...middle, s * .38, "#fff"); }
  else if (thing === 7) { pen.strokeRect(x + s * .18, y + s * .18, s * .64, s * .64); mark(pen, letter, ...middle, s * .36, ink("ink")); }
  else if (thing === 8) { pen.fillStyle = "#009E73"; pen.fillRect(x, y, s, s); mark(pen, "★", ...middle, s * .6, "#fff"); }
  else if (thing === 9) { pen.fillStyle = "#D55E00"; pen.fillRect(x, y, s, s); mark(pen, "≈", ...middle, s * .7, "#fff"); }
  else if (thing === 10) arrow(pen, ...middle, s, [0, -1]);
}

function arrow(pen, x, y, s, [across, down]) {
  const r = s * .36;
  pen.save(); pen.translate(x, y); pen.rotate(Math.atan2(down, across));
  pen.beginPath(); pen.moveTo(r, 0); pen.lineTo(-r * .8, r * .8); pen.lineTo(-r * .45, 0); pen.lineTo(-r * .8, -r * .8); pen.closePath();
  pen.fillStyle = ink("ink"); pen.strokeStyle = ink("paper"); pen.lineWidth = 1.5; pen.fill(); pen.stroke(); pen.restore();
}

// MiniGrid's arrays run from left to right first, others from above.
const across = data.drawn === "minigrid";

function sheet(element, cells, rows, columns, size, own, facing) {
  const [wide, high] = across ? [rows, columns] : [columns, rows];
  const s = size / Math.max(wide, high, 4), pen = canvas(element, wide * s, high * s);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++)
    cell(pen, cells[i * columns + j], (across ? i : j) * s, (across ? j : i) * s, s);
  pen.strokeStyle = ink("line"); pen.lineWidth = 1; pen.beginPath();
  for (let i = 0; i <= wide; i++) { pen.moveTo(i * s, 0); pen.lineTo(i * s, high * s); }
  for (let i = 0; i <= high; i++) { pen.moveTo(0, i * s); pen.lineTo(wide * s, i * s); }
  pen.stroke();
  if (own) {
    const [x, y] = across ? own : [own[1], own[0]];
    const way = across ? facing : [facing[1], facing[0]];
    const under = data.palette[cells[own[0] * columns + own[1]]], free = !across || !under || under[0] < 4 || under[0] > 7;
    if (facing[0] || facing[1]) arrow(pen, (x + (free ? .5 : .25)) * s, (y + (free ? .5 : .75)) * s, free ? s : s * .6, way);
    else { pen.strokeStyle = ink("ink"); pen.lineWidth = 2; pen.strokeRect(x * s + 1, y * s + 1, s - 2, s - 2); }
  }
}

function view(element, number, size = Number(element.dataset.size), task = 0) {
  game = task;
  const cells = data.frames[number] || [];
  element.hidden = !data.shape;
  if (!data.shape) return;
  const [rows, columns] = data.shape;
  const own = across ? [Math.floor(rows / 2), columns - 1] : null;
  sheet(element, cells, rows, columns, size, own, [0, -1]);
  element.setAttribute("aria-label", inventory(cells) || "Nothing in view");
}

function inventory(cells) {
  const counts = new Map();
  for (const code of cells) {
    const name = words(code).trim();
    if (name && !["wall", "empty", "unseen", "floor", "agent", "nothing"].includes(name)) counts.set(name, (counts.get(name) || 0) + 1);
  }
  return [...counts].slice(0, 12).map(([name, count]) => (count > 1 ? `${count} × ` : "") + name).join(", ");
}

function chart(element, drawn, pose, facing, task = 0) {
  element.hidden = false;
  game = task;
  const size = Number(element.dataset.size), rows = Math.ceil(drawn.cells.length / drawn.wide);
  const way = (facing && facing[pose[2]]) || [0, 0];
  sheet(element, drawn.cells, rows, drawn.wide, size, [pose[0] - drawn.at[0], pose[1] - drawn.at[1]], way);
  element.setAttribute("aria-label", "Map: " + (inventory(drawn.cells) || "nothing of note"));
}

function curve(points, wide, high, colour, dash) {
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  const [left, right] = [Math.min(...xs), Math.max(...xs)], top = Math.max(...ys, 1e-9);
  const path = points.map(([x, y], i) => `${i ? "L" : "M"}${(((x - left) / Math.max(1, right - left)) * wide).toFixed(1)} ${(high - (y / top) * (high - 4) - 1).toFixed(1)}`).join("");
  return vector("path", { d: path, fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": dash || "none" });
}

function plain(number, digits = 2) { return Math.abs(number) >= 1000 ? Math.round(number).toLocaleString("en") : Number(number).toFixed(digits); }
function count(number, name) { return `${plain(number, 0)} ${name}${number === 1 ? "" : "s"}`; }

// Numbers that a sense without a grid gave, as bars around the middle.
function values(said) {
  const rows = [], heard = Object.entries(said || {}).filter(([, value]) => typeof value !== "string");
  for (const [name, value] of heard) {
    const most = Math.max(...value.map(Math.abs), 1);
    value.forEach((v, i) => rows.push(make("span", { class: "number", text: value.length === 1 ? name : heard.length === 1 ? String(i + 1) : `${name} ${i + 1}` }),
      make("i", { style: { width: `${(Math.abs(v) / most) * 50}%`, marginLeft: `${v < 0 ? 50 - (Math.abs(v) / most) * 50 : 50}%` } }), make("span", { class: "number", text: plain(v) })));
  }
  return make("div", { class: "values" }, ...rows);
}

function percent(share) { return Math.round(share * 100) + "%"; }
