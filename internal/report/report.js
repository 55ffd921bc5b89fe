"use strict";
// Draws the page's charts anew, in place of the still pictures, so that they answer: a pointer
// or the arrow keys read values, boxes take arms off and fit the axes to the rest, buttons make
// axes linear or logarithmic, a slider smooths losses. Sizes and classes are those of svg.go.
(() => {
const W = 380, H = 244, L = 50, R = 360, T = 28, B = 206;
const ZERO = 0.07; // where a logarithmic axis of steps has its 0: the rest lies to the right
const SMALLEST = 1e-100; // on a logarithmic axis less is nothing
let data, charts, smoothing = 0;

const $ = (id) => document.getElementById(id);

function element(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

// ---- numbers

const grouped = (s) => s.replace(/^(-?\d+)/, (d) => d.replace(/\B(?=(\d{3})+$)/g, ","));
const shortened = (s) => s.replace(/\.?0*e/, "e").replace("e+", "e");

function number(v) {
  const a = Math.abs(v);
  if (v === 0) return "0";
  if (a >= 1e6 || 1e-3 > a) return shortened(v.toExponential(2));
  return grouped(a >= 1000 ? v.toFixed(0) : v.toFixed(Math.max(0, 3 - Math.floor(Math.log10(a)))));
}

const value = (v, percent) => percent ? (100 * v).toFixed(2) + " %" : number(v);

// ---- axes

function nice(x) {
  const base = 10 ** Math.floor(Math.log10(x));
  return [1, 2, 5, 10].map((m) => m * base).find((v) => v >= x * (1 - 1e-9));
}

function linearTicks(lo, hi, unit, whole) {
  let step = nice((hi - lo) * unit / 6);
  if (whole) step = Math.max(step, 1);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), largest = Math.max(Math.abs(lo), Math.abs(hi)) * unit;
  const label = (v) => {
    if (unit === 100) return v.toFixed(decimals) + " %";
    if (v === 0) return "0";
    if (whole ? largest >= 1e4 : false) return (v / 1000) + "k";
    if (largest >= 1e5 || 1e-3 > largest) return shortened(v.toExponential(1));
    return grouped(v.toFixed(decimals));
  };
  const ticks = [];
  for (let k = Math.ceil(lo * unit / step - 1e-9); hi * unit * (1 + 1e-12) >= k * step; k++) ticks.push({ at: k * step / unit, label: label(k * step) });
  return ticks;
}

function linearAxis(lo, hi, percent, whole) {
  if (!(hi - lo > 1e-9 * Math.max(Math.abs(lo), Math.abs(hi), SMALLEST))) {
    const half = 0.1 * Math.abs(lo) || 0.5;
    lo -= half; hi += half;
  } else if (!whole) {
    const room = 0.04 * (hi - lo);
    lo -= room; hi += room;
  }
  if (percent) { lo = Math.max(lo, 0); hi = Math.min(hi, 1); }
  return { min: lo, max: hi, at: (v) => (v - lo) / (hi - lo), ticks: linearTicks(lo, hi, percent ? 100 : 1, whole) };
}

// logAxis covers [lo, hi]; with a zero it has a place for it, left of the others.
function logAxis(lo, hi, percent, zero) {
  if (!(hi > lo * (1 + 1e-9))) { lo /= 2; hi *= 2; }
  if (!zero) {
    const room = (hi / lo) ** 0.04;
    lo /= room; hi *= room;
  }
  const from = zero ? ZERO : 0, span = Math.log(hi / lo);
  const label = (v) => percent ? +(100 * v).toPrecision(3) + " %" : v >= 1e5 || 1e-3 > v ? shortened(v.toExponential(0)) : grouped(String(+v.toPrecision(3)));
  const first = Math.ceil(Math.log10(lo) - 1e-9), last = Math.floor(Math.log10(hi) + 1e-9), decades = last - first + 1;
  let ticks = [];
  if (decades >= 3) {
    const stride = Math.ceil(decades / 6);
    for (let e = first; last >= e; e++) if (e % stride === 0) ticks.push({ at: 10 ** e, label: label(10 ** e) });
  } else if (Math.log10(hi / lo) >= 0.7) {
    for (let e = first - 1; last + 1 >= e; e++) {
      for (const m of [1, 2, 5]) {
        const at = m * 10 ** e;
        if (at >= lo * (1 - 1e-9)) if (hi * (1 + 1e-9) >= at) ticks.push({ at, label: label(at) });
      }
    }
  } else {
    ticks = linearTicks(lo, hi, percent ? 100 : 1, false);
  }
  if (zero) ticks.unshift({ at: 0, label: "0" });
  const at = (v) => v > 0 ? from + (1 - from) * Math.log(v / lo) / span : zero ? 0 : NaN;
  return { min: zero ? 0 : lo, max: hi, at, ticks };
}

// ---- data

const shown = (i) => { const box = $("show-" + i); return !box || box.checked; };
const arms = () => data.arms.map((arm, i) => ({ arm, i })).filter((a) => shown(a.i));
const xs = (panel, arm) => panel.x === "seconds" ? arm.seconds : arm.steps;
const ok = (v, log) => v !== null && v !== undefined && (!log || v >= SMALLEST);

// lines are what a chart draws: of each arm that is shown the values, with bands.
function lines(panel) {
  return arms().filter((a) => a.arm.lines[panel.lines]).map(({ arm, i }) => {
    const l = arm.lines[panel.lines];
    return { i, arm, x: xs(panel, arm), mid: l.mid, lo: l.lo || l.mid, hi: l.hi || l.mid, banded: !!l.lo, marks: l.marks || [] };
  });
}

// yRange is that of all panels with the same vertical axis.
function yRange(chart) {
  let lo = Infinity, hi = -Infinity;
  for (const panel of data.panels.filter((p) => p === chart.panel || (p.joint !== "" && p.joint === chart.panel.joint))) {
    for (const l of lines(panel)) {
      l.mid.forEach((m, k) => {
        if (!ok(m, chart.logY)) return;
        const low = ok(l.lo[k], chart.logY) ? l.lo[k] : m;
        lo = Math.min(lo, low); hi = Math.max(hi, l.hi[k]);
      });
    }
  }
  return hi >= lo ? [lo, hi] : null;
}

// smooth is the exponential moving average of a curve, freed of its start at 0.
function smooth(ys) {
  let sum = 0, weight = 0;
  return ys.map((y) => {
    if (y === null) return null;
    sum = smoothing * sum + (1 - smoothing) * y;
    weight = smoothing * weight + 1 - smoothing;
    return sum / weight;
  });
}

// ---- drawing

function draw(chart) {
  const { panel, svg } = chart, ns = svg.namespaceURI;
  const put = (to, name, attributes, text) => {
    const e = document.createElementNS(ns, name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    if (text !== undefined) e.textContent = text;
    to.append(e);
    return e;
  };
  const round = (v) => +v.toFixed(1);
  svg.replaceChildren();
  chart.cursor = chart.dots = null;
  const title = panel.title + (chart.logY ? " (log scale)" : "");
  svg.setAttribute("aria-label", title + " against " + panel.x);
  put(svg, "text", { class: "t", x: 2, y: 15 }, title);
  const ls = lines(panel), range = yRange(chart), all = ls.flatMap((l) => l.x.filter((x, k) => x !== null && ok(l.mid[k], chart.logY)));
  const positive = all.filter((x) => x > 0), end = Math.max(0, ...all);
  chart.points = [];
  if (!range || all.length === 0 || (panel.x === "seconds" && end === 0)) {
    put(svg, "rect", { class: "frame", x: L, y: T, width: R - L, height: B - T });
    put(svg, "text", { class: "k", x: (L + R) / 2, y: (T + B) / 2, "text-anchor": "middle" }, "nothing to draw");
    return;
  }
  const whole = panel.x === "steps";
  const x = chart.logX && positive.length ? logAxis(Math.min(...positive), end, false, all.includes(0)) : linearAxis(0, end || 1, false, true);
  if (!whole && !chart.logX) x.ticks = linearTicks(0, end, 1, false);
  const y = (chart.logY ? logAxis : linearAxis)(range[0], range[1], panel.percent);
  chart.axes = { x, y };
  const px = (v) => round(L + (R - L) * x.at(v)), py = (v) => round(B - (B - T) * Math.max(0, y.at(v)));
  for (const t of y.ticks) {
    put(svg, "line", { class: "g", x1: L, y1: py(t.at), x2: R, y2: py(t.at) });
    put(svg, "text", { class: "k", x: L - 6, y: py(t.at) + 4, "text-anchor": "end" }, t.label);
  }
  put(svg, "line", { class: "a", x1: L, y1: B, x2: R, y2: B });
  for (const t of x.ticks) {
    put(svg, "line", { class: "a", x1: px(t.at), y1: B, x2: px(t.at), y2: B + 4 });
    put(svg, "text", { class: "k", x: px(t.at), y: B + 17, "text-anchor": "middle" }, t.label);
  }
  put(svg, "text", { class: "k", x: (L + R) / 2, y: B + 33, "text-anchor": "middle" }, panel.x + (chart.logX ? " (log scale)" : ""));
  // path draws ys where there are any, and a point that stands alone as a dot.
  const path = (g, name, l, ys) => {
    let d = "", run = [];
    const flush = () => {
      if (run.length === 1) put(g, "circle", { class: "p", r: 2.5, cx: run[0][0], cy: run[0][1] });
      else if (run.length) d += "M" + run.map((p) => p.join(" ")).join("L");
      run = [];
    };
    ys.forEach((v, k) => { if (ok(v, chart.logY) && l.x[k] !== null) run.push([px(l.x[k]), py(v)]); else flush(); });
    flush();
    if (d) put(g, "path", { class: name, d });
  };
  const groups = ls.map((l) => ({ l, class: "arm-" + l.i + " " + l.arm.style }));
  for (const { l, class: c } of groups.filter((g) => g.l.banded)) {
    let edge = [], d = "";
    const flush = () => {
      if (edge.length > 1) d += "M" + edge.map((e) => e[0] + " " + e[1]).join("L") + "L" + edge.reverse().map((e) => e[0] + " " + e[2]).join("L") + "Z";
      edge = [];
    };
    l.mid.forEach((m, k) => {
      if (!ok(m, chart.logY) || l.x[k] === null) return flush();
      edge.push([px(l.x[k]), py(l.hi[k]), ok(l.lo[k], chart.logY) ? py(l.lo[k]) : B]);
    });
    flush();
    if (d) put(put(svg, "g", { class: c }), "path", { class: "b", d });
  }
  for (const { l, class: c } of groups) {
    const g = put(svg, "g", { class: c });
    const smoothed = panel.loss && smoothing > 0 ? smooth(l.mid) : null;
    if (smoothed) path(g, "raw", l, l.mid);
    path(g, "l", l, smoothed || l.mid);
    if (panel.edged) { path(g, "e", l, l.lo); path(g, "e", l, l.hi); }
    for (const m of l.marks) {
      const mx = panel.x === "seconds" ? m.seconds : m.step;
      if (mx === null || !ok(m.y, chart.logY)) continue;
      const cx = px(mx), cy = py(m.y);
      put(put(g, "path", { class: "x", d: `M${cx - 4.5} ${cy - 4.5}L${cx + 4.5} ${cy + 4.5}M${cx - 4.5} ${cy + 4.5}L${cx + 4.5} ${cy - 4.5}` }), "title", {}, m.label);
    }
    l.mid.forEach((m, k) => {
      if (ok(m, chart.logY) && l.x[k] !== null) chart.points.push({ l, k, x: px(l.x[k]), y: py(smoothed ? smoothed[k] : m), smoothed: smoothed ? smoothed[k] : null });
    });
  }
  chart.cursor = put(svg, "circle", { class: "cursor", r: 4, visibility: "hidden" });
}

// ---- reading values

// say shows a point's values beside it; aloud, for who reads by keys, to a screen reader as well.
function say(chart, point, aloud) {
  if (!point) return hush(chart);
  const { l, k } = point, percent = chart.panel.percent, v = (x) => value(x, percent);
  const at = (l.arm.thinned ? "around step " : "step ") + number(Math.round(l.arm.steps[k])) + (chart.panel.x === "seconds" && l.x[k] !== null ? ", " + number(l.x[k]) + " s" : "");
  const seeds = l.arm.seeds[k], rows = [l.arm.name, at, (seeds > 1 && !chart.panel.edged ? "mean " : "") + v(l.mid[k])];
  if (chart.panel.edged || seeds > 1 || l.lo[k] !== l.hi[k]) rows.push(v(l.lo[k]) + " to " + v(l.hi[k]) + (chart.panel.edged ? "" : `, ${seeds} seeds`));
  if (point.smoothed !== null) rows.push("smoothed " + v(point.smoothed));
  const mark = l.marks.find((m) => m.step === l.arm.steps[k]);
  if (mark) rows.push(mark.label);
  const key = element("b", { class: l.arm.style }, rows[0]);
  chart.tip.replaceChildren(key, ...rows.slice(1).map((r) => element("span", {}, r)));
  chart.tip.hidden = false;
  const scale = chart.svg.clientWidth / W, width = chart.tip.offsetWidth, x = point.x * scale, y = point.y * scale;
  chart.tip.style.left = Math.max(0, Math.min(x > chart.svg.clientWidth / 2 ? x - width - 12 : x + 12, chart.svg.clientWidth - width)) + "px";
  chart.tip.style.top = Math.max(0, y - chart.tip.offsetHeight - 8) + "px";
  chart.cursor.setAttribute("cx", point.x);
  chart.cursor.setAttribute("cy", point.y);
  chart.cursor.setAttribute("class", "cursor " + l.arm.style);
  chart.cursor.setAttribute("visibility", "visible");
  chart.at = point;
  if (aloud) $("said").textContent = rows.join(", ");
}

function hush(chart) {
  chart.tip.hidden = true;
  chart.at = null;
  if (chart.cursor) chart.cursor.setAttribute("visibility", "hidden");
}

// nearest is the point at whose step and height the pointer is.
function nearest(chart, event) {
  const box = chart.svg.getBoundingClientRect(), x = (event.clientX - box.left) * W / box.width, y = (event.clientY - box.top) * H / box.height;
  let best = null, least = Infinity;
  for (const p of chart.points) {
    const d = 2 * Math.abs(p.x - x) + Math.abs(p.y - y);
    if (least > d) { least = d; best = p; }
  }
  return best;
}

// walk moves by keys: along an arm, and from arm to arm.
function walk(chart, key) {
  const from = chart.at || chart.points[0];
  if (!from || !["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "Escape"].includes(key)) return false;
  if (key === "Escape") { hush(chart); return true; }
  const same = chart.points.filter((p) => p.l === from.l), order = [...new Set(chart.points.map((p) => p.l))];
  let to = chart.at ? null : from;
  if (key === "Home") to = same[0];
  if (key === "End") to = same[same.length - 1];
  if (chart.at) {
    const i = same.indexOf(from);
    if (key === "ArrowLeft") to = same[Math.max(0, i - 1)];
    if (key === "ArrowRight") to = same[Math.min(same.length - 1, i + 1)];
    if (key === "ArrowUp" || key === "ArrowDown") {
      const l = order[(order.indexOf(from.l) + (key === "ArrowDown" ? 1 : order.length - 1)) % order.length];
      to = chart.points.filter((p) => p.l === l).reduce((a, b) => Math.abs(b.x - from.x) >= Math.abs(a.x - from.x) ? a : b);
    }
  }
  say(chart, to, true);
  return true;
}

// ---- switches

function toggle(chart, axis, name) {
  const key = "log" + axis, button = element("button", { type: "button", class: "log" + axis }, "log");
  const set = () => { button.setAttribute("aria-pressed", chart[key]); button.setAttribute("aria-label", `${chart.panel.title}: logarithmic ${name}`); };
  button.title = "logarithmic " + name;
  button.addEventListener("click", () => {
    const on = !chart[key];
    for (const c of charts) if (c === chart || (axis === "Y" && chart.panel.joint !== "" && c.panel.joint === chart.panel.joint)) { c[key] = on; c.press(); redraw(c); }
  });
  set();
  return { button, set };
}

// redraw draws a chart and, where it was read, reads the same point again.
function redraw(chart) {
  const at = chart.at;
  draw(chart);
  const again = at && chart.points.find((p) => p.l.i === at.l.i && p.k === at.k);
  if (again) say(chart, again); else hush(chart);
}

function smoother() {
  const out = element("output", {}, "off"), slider = element("input", { type: "range", min: 0, max: 0.99, step: 0.01, value: smoothing, id: "smoothing" });
  const set = () => { smoothing = +slider.value; out.textContent = smoothing ? smoothing.toFixed(2) : "off"; };
  slider.addEventListener("input", () => { set(); charts.filter((c) => c.panel.loss).forEach(redraw); });
  set();
  return element("label", { class: "smoother" }, "smooth losses ", slider, out);
}

function start() {
  data = JSON.parse($("data").textContent);
  charts = [...document.querySelectorAll(".chart")].map((div) => {
    const panel = data.panels[+div.dataset.panel], chart = { div, panel, logX: panel.logX, logY: panel.logY, svg: div.querySelector("svg"), tip: element("div", { class: "tip", hidden: "" }) };
    const x = toggle(chart, "X", panel.x), y = toggle(chart, "Y", "values");
    chart.press = () => { x.set(); y.set(); };
    chart.svg.setAttribute("tabindex", "0");
    chart.svg.setAttribute("role", "group");
    chart.svg.setAttribute("aria-keyshortcuts", "ArrowLeft ArrowRight ArrowUp ArrowDown");
    for (const type of ["pointermove", "pointerdown"]) chart.svg.addEventListener(type, (e) => say(chart, nearest(chart, e)));
    chart.svg.addEventListener("pointerleave", () => hush(chart));
    chart.svg.addEventListener("blur", () => hush(chart));
    chart.svg.addEventListener("keydown", (e) => { if (walk(chart, e.key)) e.preventDefault(); });
    div.append(y.button, x.button, chart.tip);
    draw(chart);
    return chart;
  });
  document.querySelectorAll(".toggles input").forEach((box) => box.addEventListener("change", () => charts.forEach(redraw)));
  if (data.panels.some((p) => p.loss) && $("controls")) $("controls").append(smoother());
}

// ---- news of a run that trains

// replace puts another page in the place of this one; boxes and the slider stay as they are.
function replace(html) {
  const off = [...document.querySelectorAll(".toggles input[type=checkbox]")].filter((box) => !box.checked).map((box) => box.id);
  const page = new DOMParser().parseFromString(html, "text/html");
  document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
  document.title = page.title;
  for (const id of off) if ($(id)) $(id).checked = false;
  start();
}

function follow() {
  const source = new EventSource("events"), say = (text) => { if ($("news")) $("news").lastElementChild.textContent = text; };
  const on = (name, f) => source.addEventListener(name, (e) => f(JSON.parse(e.data)));
  let due = false;
  const soon = () => {
    if (!due) requestAnimationFrame(() => { due = false; charts.forEach(redraw); });
    due = true;
  };
  source.onopen = () => say("The page follows it.");
  source.onerror = () => say("There is no connection: the program may have ended, and the page shows what was known.");
  on("page", ({ shape, html }) => { if (shape !== data.shape) replace(html); });
  on("arm", ({ index, arm }) => { data.arms[index] = arm; soon(); });
  on("rows", (rows) => rows.forEach((cells, i) => {
    const tds = document.querySelectorAll(`tr[data-arm="${i}"] td`);
    if (tds.length === cells.length) cells.forEach((c, k) => { tds[k].textContent = c.text; tds[k].classList.toggle("alarm", c.alarm); });
  }));
  on("end", ({ html }) => { source.close(); replace(html); });
}

start();
if (data.live) follow();
})();
