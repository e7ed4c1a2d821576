// Draws the board's snapshots as they come, and ticks what grows by itself, on the server's clock.
"use strict";

const WINDOWS = ["1m", "5m", "15m", "30m", "1h", "today"];
const WINDOW_NAMES = { "1m": "1 min", "5m": "5 min", "15m": "15 min", "30m": "30 min", "1h": "1 h", today: "Today" };
const SCALES = [0.1, 0.25, 0.5, 1];
const SILENCE_MS = 12_000;
const SUMMARY_EVERY_MS = 60_000;

let clockOffset = 0;
let heardAt = null;
let snapshot = null;
let summaryAt = 0;
const drawn = new Map();

const byId = (id) => document.getElementById(id);
const serverNow = () => Date.now() + clockOffset;

function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 120 ? `${seconds} s` : duration(seconds);
}

const percent = (ratio) => `${(ratio * 100).toFixed(ratio < 0.0995 ? 1 : 0)} %`;

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Text that has not changed is not touched: neither a selection nor a screen reader is disturbed.
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function cell(kind, label) {
  const value = element("span", { class: "value" });
  const note = element("span", { class: "note" });
  const node = element("td", { role: "cell", class: kind, "data-label": label }, value, note);
  return { node, value, note };
}

function makeLine(name, isTotal) {
  const head = element("th", { scope: "row", role: "rowheader" }, name);
  const line = {
    waiting: cell("waiting lead", "Waiting now"),
    oldest: cell("oldest lead", "Oldest waiting"),
    asa: Object.fromEntries(WINDOWS.map((window) => [window, cell(`asa asa-${window}`, `ASA ${WINDOW_NAMES[window]}`)])),
    answered: cell("answered service", "Answered"),
    offered: cell("offered service", "Offered"),
    abandoned: cell("abandoned service", "Abandoned"),
    rate: cell("rate", "Abandon rate"),
  };
  line.band = element("span", { class: "band", "aria-hidden": "true" }, element("i"), element("b"));
  line.rate.node.append(line.band);
  const cells = [line.waiting, line.oldest, ...WINDOWS.map((window) => line.asa[window]),
    line.answered, line.offered, line.abandoned, line.rate];
  line.node = element("tr", { role: "row", class: isTotal ? "total" : "queue" }, head, ...cells.map((each) => each.node));
  return line;
}

function drawMean(target, mean, isToday, nMin) {
  const isKnown = mean !== undefined && mean.value !== null;
  say(target.value, isKnown ? duration(mean.value) : isToday ? "no calls yet" : "–");
  say(target.note, isKnown ? `n ${mean.n.toLocaleString("en")}` : "");
  target.node.classList.toggle("none", !isKnown);
  target.node.classList.toggle("thin", isKnown && mean.n < nMin);
  if (isKnown || isToday) target.node.removeAttribute("aria-label");
  else target.node.setAttribute("aria-label", "no calls in this window");
}

function drawRate(line, rate, nMin) {
  const isKnown = rate.value !== null;
  say(line.rate.value, isKnown ? percent(rate.value) : "no calls yet");
  say(line.rate.note, isKnown ? `${percent(rate.low)} to ${percent(rate.high)}, n ${rate.n.toLocaleString("en")}` : "");
  line.rate.node.classList.toggle("none", !isKnown);
  line.rate.node.classList.toggle("thin", isKnown && rate.n < nMin);
  line.band.hidden = !isKnown;
  if (isKnown) {
    line.band.style.setProperty("--low", rate.low);
    line.band.style.setProperty("--high", rate.high);
    line.band.style.setProperty("--value", rate.value);
  }
}

function drawLine(line, told, nMin) {
  const count = (number) => number.value.toLocaleString("en");
  say(line.waiting.value, told.in_queue.toLocaleString("en"));
  const notes = [];
  if (told.scheduled) notes.push(`${told.scheduled} scheduled`);
  if (told.stuck) notes.push(`${told.stuck} stuck`);
  say(line.waiting.note, notes.join(", "));
  line.oldestAt = told.oldest_at;
  for (const window of WINDOWS) drawMean(line.asa[window], told.asa[window], window === "today", nMin);
  say(line.answered.value, count(told.answered));
  say(line.offered.value, count(told.offered));
  say(line.abandoned.value, count(told.abandoned));
  drawRate(line, told.abandon_rate, nMin);
  tickLine(line);
}

function tickLine(line) {
  const isWaiting = line.oldestAt !== null && line.oldestAt !== undefined;
  say(line.oldest.value, isWaiting ? duration((serverNow() - line.oldestAt) / 1000) : "no one");
  line.oldest.node.classList.toggle("none", !isWaiting);
}

function makeTenant(name) {
  const id = `tenant-${drawn.size}`;
  const groups = element("tr", { role: "row", class: "groups" },
    element("td", { role: "cell" }), element("th", { scope: "colgroup", colspan: "2", role: "columnheader" }, "Now"),
    element("th", { scope: "colgroup", colspan: "6", role: "columnheader" }, "Average speed of answer, last …"),
    element("th", { scope: "colgroup", colspan: "4", role: "columnheader" }, "Service so far today"));
  const names = ["Queue", "Waiting", "Oldest", ...WINDOWS.map((window) => WINDOW_NAMES[window]),
    "Answered", "Offered", "Abandoned", "Abandon rate"];
  const heads = element("tr", { role: "row" },
    ...names.map((text) => element("th", { scope: "col", role: "columnheader" }, text)));
  const body = element("tbody", { role: "rowgroup" });
  const total = makeLine("All queues", true);
  const zone = element("span", { class: "zone" });
  const columns = ["name", "now", "now", ...WINDOWS.map((window) => window === "today" ? "asa-today" : "asa"),
    "service", "service", "service", "rate"];
  const table = element("table", { role: "table", "aria-labelledby": id },
    element("colgroup", {}, ...columns.map((kind) => element("col", { class: kind }))),
    element("thead", { role: "rowgroup" }, groups, heads), body,
    element("tfoot", { role: "rowgroup" }, total.node));
  const node = element("section", { class: "tenant", "data-tenant": name },
    element("h2", { id }, element("span", {}, name), zone), table);
  return { node, body, total, zone, lines: new Map() };
}

function drawTenant(tenant, told, nMin) {
  say(tenant.zone, told.zone === "UTC" ? "day in UTC" : `day in ${told.zone.replaceAll("_", " ")}`);
  const present = new Set(told.queues.map((queue) => queue.queue));
  for (const [name, line] of tenant.lines) {
    if (!present.has(name)) {
      line.node.remove();
      tenant.lines.delete(name);
    }
  }
  told.queues.forEach((queue, place) => {
    let line = tenant.lines.get(queue.queue);
    if (!line) {
      line = makeLine(queue.queue || "no queue", false);
      line.node.dataset.queue = queue.queue;
      tenant.lines.set(queue.queue, line);
    }
    if (tenant.body.children[place] !== line.node) tenant.body.insertBefore(line.node, tenant.body.children[place] ?? null);
    drawLine(line, queue, nMin);
  });
  drawLine(tenant.total, told.total, nMin);
  tenant.total.node.hidden = told.queues.length === 1;
}

function drawSnapshot() {
  const present = new Set(snapshot.tenants.map((tenant) => tenant.tenant));
  for (const [name, tenant] of drawn) {
    if (!present.has(name)) {
      tenant.node.remove();
      drawn.delete(name);
    }
  }
  for (const told of snapshot.tenants) {
    let tenant = drawn.get(told.tenant);
    if (!tenant) {
      tenant = makeTenant(told.tenant);
      drawn.set(told.tenant, tenant);
      byId("board").append(tenant.node);
    }
    drawTenant(tenant, told, snapshot.n_min);
  }
  drawScale();
  byId("empty").hidden = snapshot.tenants.length > 0;
  say(byId("n-min"), String(snapshot.n_min));
  drawFreshness();
}

// All bands share one scale, so that they can be compared by eye.
function drawScale() {
  const highs = snapshot.tenants.flatMap((tenant) => tenant.queues.map((queue) => queue.abandon_rate.high ?? 0));
  const highest = Math.max(0, ...highs);
  byId("board").style.setProperty("--scale", SCALES.find((scale) => scale >= highest) ?? 1);
}

function drawFreshness() {
  const rows = snapshot.partitions.map((each) => element("tr", {},
    element("th", { scope: "row" }, `${each.stream}/${each.partition}`),
    element("td", {}, each.age_seconds === null ? "none yet" : `${Math.round(each.age_seconds)} s ago`),
    element("td", {}, each.watermark === null ? "none yet" : `${each.watermark.slice(0, 19).replace("T", " ")} UTC`),
    element("td", {}, each.next_offset < 0 ? "none yet" : each.next_offset.toLocaleString("en")),
    element("td", {}, each.refused ? "refused" : !each.is_caught_up ? "catching up" : each.is_idle ? "idle" : "live")));
  document.querySelector("#freshness tbody").replaceChildren(...rows);
}

function stateNow() {
  if (heardAt === null) return "connecting";
  if (performance.now() - heardAt > SILENCE_MS) return "offline";
  return snapshot !== null && snapshot.faults.length > 0 ? "stale" : "live";
}

const STATES = {
  connecting: ["Connecting", ""],
  offline: ["Disconnected", "Disconnected: these numbers stand still"],
  stale: ["Not current", "These numbers are not current"],
  live: ["Live", ""],
};

function drawState() {
  const state = stateNow();
  const [word, title] = STATES[state];
  if (document.body.dataset.state !== state) {
    document.body.dataset.state = state;
    summaryAt = 0;
  }
  say(byId("state"), word);
  const known = snapshot !== null && snapshot.committed_at !== null;
  const age = known ? `data ${ago(serverNow() - snapshot.committed_at)} old` : "no data yet";
  say(byId("age"), state === "connecting" ? "" : age);
  byId("notice").hidden = title === "";
  say(byId("notice-title"), title);
  const reasons = state === "offline" ? ["The board has not been heard from. The page tries again by itself."] : snapshot?.faults ?? [];
  const list = byId("faults");
  if (list.dataset.told !== reasons.join("\n")) {
    list.dataset.told = reasons.join("\n");
    list.replaceChildren(...reasons.map((reason) => element("li", {}, reason)));
  }
  drawSummary(word);
}

// Read aloud once a minute and when the state changes, not at every number that moves.
function drawSummary(word) {
  if (snapshot === null || performance.now() - summaryAt < SUMMARY_EVERY_MS && summaryAt > 0) return;
  summaryAt = performance.now();
  const lines = snapshot.tenants.map(({ tenant, total }) => {
    const asa = total.asa["5m"];
    const speed = asa.value === null ? "no calls answered" : `answered after ${duration(asa.value)}`;
    return `${tenant}: ${total.in_queue} waiting, ${speed} in the last 5 minutes`;
  });
  say(byId("summary"), [word, ...lines].join(". "));
}

function tick() {
  for (const tenant of drawn.values()) {
    tickLine(tenant.total);
    for (const line of tenant.lines.values()) tickLine(line);
  }
  drawState();
}

function hear() {
  heardAt = performance.now();
}

function connect() {
  const events = new EventSource("events");
  events.addEventListener("alive", (event) => {
    hear();
    clockOffset = Number(event.data) - Date.now();
  });
  events.addEventListener("snapshot", (event) => {
    hear();
    snapshot = JSON.parse(event.data);
    drawSnapshot();
    drawState();
  });
  events.addEventListener("error", () => {
    if (events.readyState !== EventSource.CLOSED) return;
    events.close();
    setTimeout(connect, 2000);
  });
}

connect();
setInterval(tick, 1000);
