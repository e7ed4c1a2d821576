// Calls of one tenant: the total as tiles, the queues as a table.

import * as choice from "./choice.js";
import { Children, element, mark, say } from "./dom.js";
import { Rows } from "./rows.js";
import { shownNow } from "./stream.js";
import { drawBand, makeBand, Tiles } from "./tiles.js";
import { ABSENT, basis, clock, count, percent, WINDOW_NAMES } from "./words.js";

const SCALES = [0.1, 0.25, 0.5, 1];
const NO_CALLS = "no calls";

export const isThin = (row, nMin) => Boolean(row) && row.value !== null && row.n !== null && row.n < nMin;

// The default stands first among a metric's definitions.
function chosenOf(rows, name, window, metrics) {
  const metric = choice.SWITCHED[name];
  const definition = choice.definition(name) ?? Object.keys(metrics[metric].definitions)[0];
  return rows.one(metric, { window, definition });
}

export function readCalls(told, view, metrics) {
  const rows = new Rows(told.total);
  const of = (name, window = view.window) => chosenOf(rows, name, window, metrics);
  const oldest = rows.one("oldest_waiting").value;
  return {
    rows,
    inQueue: rows.one("in_queue").value,
    scheduled: rows.one("scheduled").value,
    stuck: rows.one("stuck").value,
    oldestAt: oldest === null ? null : view.as_of - Math.round(oldest * 1000),
    asa: of("asa"),
    serviceLevel: of("service_level"),
    abandonRate: rows.one("abandon_rate", { window: view.window }),
    counts: Object.fromEntries(["answered", "offered", "abandoned"].map((name) => [name, rows.one(name, { window: view.window }).value])),
    p90: rows.one("asa_p90", { window: view.window }),
    over: (name) => choice.WINDOWS.map((window) => [window, of(name, window)]),
  };
}

export function band(row, least = 0, most = 1) {
  return row && row.value !== null ? { low: row.low, value: row.value, high: row.high, least, most } : undefined;
}

function waitingNote({ scheduled, stuck }) {
  return [scheduled ? `${scheduled} scheduled` : "", stuck ? `${stuck} stuck` : ""].filter(Boolean).join(", ");
}

export const oldestText = (at) => (at === null ? "no one" : clock((shownNow() - at) / 1000));

function overTime(told, name, text) {
  return told.over(name).map(([window, row]) => [WINDOW_NAMES[window], row && row.value !== null ? text(row.value) : ABSENT]);
}

export function callTiles(calls, view) {
  const { asa, serviceLevel, abandonRate, counts, p90 } = calls;
  const none = (row) => row.value === null;
  return [
    { key: "waiting", label: "Waiting now", value: count(calls.inQueue), note: waitingNote(calls) },
    { key: "oldest", label: "Oldest waiting", value: oldestText(calls.oldestAt), isNone: calls.oldestAt === null },
    {
      key: "asa", label: "Average speed of answer", definition: "asa", value: none(asa) ? "no calls answered" : clock(asa.value),
      note: none(asa) ? "" : `${basis(asa)}${p90.value === null ? "" : `, 9 of 10 within ${clock(p90.value)}`}`,
      isNone: none(asa), isThin: isThin(asa, view.n_min), parts: overTime(calls, "asa", clock), isOverTime: true,
    },
    {
      key: "service_level", label: "Service level, 20 s", definition: "service_level",
      value: none(serviceLevel) ? NO_CALLS : percent(serviceLevel.value), note: basis(serviceLevel, "ratio"),
      isNone: none(serviceLevel), isThin: isThin(serviceLevel, view.n_min), band: band(serviceLevel),
      parts: overTime(calls, "service_level", percent), isOverTime: true,
    },
    {
      key: "abandon_rate", label: "Abandon rate", value: none(abandonRate) ? NO_CALLS : percent(abandonRate.value),
      note: basis(abandonRate, "ratio"), isNone: none(abandonRate), isThin: isThin(abandonRate, view.n_min),
      band: band(abandonRate),
      parts: [["Offered", count(counts.offered)], ["Answered", count(counts.answered)], ["Abandoned", count(counts.abandoned)]],
    },
  ];
}

function cell(kind, label) {
  const value = element("span", { class: "value" });
  const note = element("span", { class: "note" });
  const node = element("td", { role: "cell", class: kind, "data-label": label }, value, note);
  return { node, value, note };
}

const COLUMNS = [
  ["waiting lead", "Waiting"], ["oldest lead", "Oldest"], ["asa", "ASA"], ["service-level rate", "Service level"],
  ["answered service", "Answered"], ["offered service", "Offered"], ["abandoned service", "Abandoned"], ["abandon-rate rate", "Abandon rate"],
];

function makeLine({ queue }) {
  const name = queue || "no queue";
  const head = element("th", { scope: "row", role: "rowheader" });
  if (queue && queue !== choice.queue()) {
    const link = element("button", { type: "button", class: "link", title: `Show only ${name}` }, name);
    head.append(link);
    link.addEventListener("click", () => choice.choose({ tenant: link.closest("[data-tenant]").dataset.tenant, queue }));
  } else head.append(name);
  const line = { cells: Object.fromEntries(COLUMNS.map(([kind, label]) => [kind.split(" ")[0], cell(kind, label)])) };
  for (const kind of ["service-level", "abandon-rate"]) {
    line.cells[kind].band = makeBand();
    line.cells[kind].node.append(line.cells[kind].band.node);
  }
  line.node = element("tr", { role: "row", class: "queue", "data-queue": queue }, head, ...Object.values(line.cells).map((each) => each.node));
  return line;
}

const named = ([value, n, low, high]) => ({ value, n, low, high });

function drawMeasure(target, row, text, nMin, unit, most) {
  const isKnown = row.value !== null;
  say(target.value, isKnown ? text(row.value) : ABSENT);
  say(target.note, [isThin(row, nMin) ? "few" : "", basis(row, unit)].filter(Boolean).join(", "));
  target.node.classList.toggle("none", !isKnown);
  target.node.classList.toggle("thin", isThin(row, nMin));
  mark(target.value, "aria-label", isKnown ? null : "no calls in this window");
  if (target.band) drawBand(target.band, band(row, 0, most));
}

function drawLine(line, told, view, scale) {
  const { cells } = line;
  say(cells.waiting.value, count(told.in_queue[0]));
  say(cells.waiting.note, waitingNote({ scheduled: told.scheduled[0], stuck: told.stuck[0] }));
  const oldest = told.oldest_waiting[0];
  line.oldestAt = oldest === null ? null : view.as_of - Math.round(oldest * 1000);
  drawMeasure(cells.asa, named(told.asa_queue), clock, view.n_min);
  drawMeasure(cells["service-level"], named(told.service_level), percent, view.n_min, "ratio", 1);
  drawMeasure(cells["abandon-rate"], named(told.abandon_rate), percent, view.n_min, "ratio", scale);
  for (const name of ["answered", "offered", "abandoned"]) say(cells[name].value, count(told[name][0]));
  tickLine(line);
}

function tickLine(line) {
  say(line.cells.oldest.value, oldestText(line.oldestAt));
  line.cells.oldest.node.classList.toggle("none", line.oldestAt === null);
}

// All bands of a table share one scale, so that they can be compared by eye.
function scaleOf(queues) {
  const highest = Math.max(0, ...queues.map((queue) => queue.abandon_rate[3] ?? 0));
  return SCALES.find((scale) => scale >= highest) ?? 1;
}

export class Calls {
  constructor() {
    this.tiles = new Tiles();
    this.caption = element("caption");
    const body = element("tbody", { role: "rowgroup" });
    const head = element("tr", { role: "row" },
      ...["Queue", ...COLUMNS.map(([, label]) => label)].map((text) => element("th", { scope: "col", role: "columnheader" }, text)));
    this.table = element("table", { role: "table", class: "queues" }, this.caption, element("thead", { role: "rowgroup" }, head), body);
    this.more = element("p", { class: "more" });
    this.lines = new Children(body, makeLine);
    this.node = element("section", { class: "calls" }, element("h3", {}, "Calls"), this.tiles.node);
    this.after = [this.table, this.more];
  }

  draw(told, view, metrics) {
    this.told = readCalls(told, view, metrics);
    this.view = view;
    this.metrics = metrics;
    const scale = scaleOf(told.queues);
    this.lines.draw(told.queues, (queue) => queue.queue, (line, queue) => drawLine(line, queue, view, scale));
    this.table.hidden = told.queues.length < 2;
    say(this.caption, view.window === "today" ? "Queues, today" : `Queues, last ${WINDOW_NAMES[view.window]}`);
    say(this.more, told.queues_left_out ? `${told.queues_left_out} more queues: choose one above.` : "");
    this.more.hidden = !told.queues_left_out;
    this.tick();
  }

  tick() {
    this.tiles.draw(callTiles(this.told, this.view), this.metrics);
    for (const line of this.lines) tickLine(line);
  }
}
