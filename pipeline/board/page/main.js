// The page: what is chosen goes to the board, what the board tells is drawn, and what grows by itself ticks.

import { Calls } from "./calls.js";
import * as choice from "./choice.js";
import { Compare } from "./compare.js";
import { byId, Children, element, fillSelect, say } from "./dom.js";
import { Hour } from "./hour.js";
import { Rows } from "./rows.js";
import { periodText, SECTIONS, sectionTiles } from "./sections.js";
import { drawFreshness, drawStatus } from "./status.js";
import { connect, fetchJson } from "./stream.js";
import { Tiles } from "./tiles.js";
import { makeLimits, makeWallSwitch, showWall, Wall } from "./wall.js";
import { PERIOD_NAMES, WINDOW_NAMES } from "./words.js";

// Each block asks for its last hour by itself.
const MOST_HOURS = 4;

let metrics = {};
let view = null;
const blocks = new Children(element("div", { id: "blocks" }), makeBlock);
byId("board").append(blocks.parent);

function makeSection(name, title) {
  const tiles = new Tiles();
  const over = element("span", { class: "over" });
  const node = element("section", { class: "part", "data-part": name }, element("h3", {}, title, over), tiles.node);
  return { node, tiles, over };
}

function makeBlock({ tenant }) {
  const id = `tenant-${encodeURIComponent(tenant)}`;
  const block = { tenant, zone: element("span", { class: "zone" }), calls: new Calls(), hour: new Hour(), compare: new Compare(), wall: new Wall(), sections: {} };
  block.missing = element("p", { class: "more" });
  block.calls.node.append(block.hour.node, ...block.calls.after);
  const heading = element("h2", { id }, element("span", {}, tenant), block.zone);
  const sections = SECTIONS.map(([name, title]) => (block.sections[name] = makeSection(name, title)).node);
  block.node = element("section", { class: "tenant", "data-tenant": tenant, "aria-labelledby": id },
    heading, block.wall.node, block.missing, block.calls.node, element("div", { class: "sections" }, ...sections), block.compare.node);
  return block;
}

function drawBlock(block, told) {
  say(block.zone, told.zone === "UTC" ? "day in UTC" : `day in ${told.zone.replaceAll("_", " ")}`);
  const hasCalls = "calls" in told;
  block.calls.node.hidden = !hasCalls;
  block.missing.hidden = hasCalls || !choice.queue();
  say(block.missing, `No queue named ${choice.queue()} here.`);
  if (hasCalls) block.calls.draw(told.calls, view, metrics);
  const rows = {};
  for (const [name, , read] of SECTIONS) {
    const section = block.sections[name];
    section.node.hidden = !(name in told);
    rows[name] = new Rows(told[name] ?? []);
    if (!(name in told)) continue;
    section.tiles.draw(sectionTiles(read, rows[name], view, metrics), metrics);
    say(section.over, periodText(view));
  }
  const calls = hasCalls ? block.calls.told : null;
  block.compare.draw({
    service_level: calls?.rows.all("service_level", { window: view.window }) ?? [],
    asa: calls?.rows.all("asa_queue", { window: view.window }) ?? [],
    churn: rows.success.all("churn", { window: view.period }),
  }, metrics);
  block.onWall = {
    calls, lines: told.calls?.queues ?? [], overdue: rows.tickets.one("frt_overdue"), oldestOverdue: rows.tickets.one("frt_overdue_oldest"),
  };
  drawWall(block);
}

function drawWall(block) {
  if (choice.isWall()) block.wall.draw(block.onWall, view);
}

function drawHours() {
  const shown = [...blocks].filter((block) => !block.calls.node.hidden).slice(0, MOST_HOURS);
  for (const block of blocks) block.hour.node.hidden = !shown.includes(block);
  if (document.hidden || choice.isWall()) return;
  for (const block of shown) block.hour.refresh(block.tenant, choice.queue());
}

function drawView(told) {
  view = told;
  blocks.draw(view.blocks, (block) => block.tenant, drawBlock);
  byId("empty").hidden = view.blocks.length > 0;
  say(byId("empty"), choice.tenant() ? `No tenant named ${choice.tenant()} here. Choose another one.` : "No calls yet. The first one shows here by itself.");
  byId("period").hidden = !view.blocks.some((block) => SECTIONS.some(([name]) => name in block));
  for (const node of document.querySelectorAll(".n-min")) say(node, String(view.n_min));
  drawHours();
  tick();
}

function totals() {
  if (view === null) return null;
  const window = view.window === "today" ? "today" : `in the last ${WINDOW_NAMES[view.window]}`;
  return [...blocks].filter((block) => !block.calls.node.hidden).map(({ tenant, calls }) => ({ tenant, calls: calls.told, window }));
}

function tick() {
  drawStatus(view, totals());
  for (const block of blocks) {
    if (!block.calls.node.hidden) block.calls.tick();
    drawWall(block);
  }
}

function drawNames({ tenants, queues }) {
  const withChosen = (names, chosen) => (chosen && !names.includes(chosen) ? [...names, chosen] : names);
  const options = (names) => names.map((name) => [name, name]);
  fillSelect(byId("tenant"), [["", "All tenants"], ...options(withChosen(tenants, choice.tenant()))], choice.tenant());
  fillSelect(byId("queue"), [["", "All queues"], ...options(withChosen(queues, choice.queue()))], choice.queue());
  byId("queue").disabled = queues.length === 0 && !choice.queue();
  byId("queue").title = byId("queue").disabled ? "Choose a tenant first" : "";
}

function makeRadios(name, names, chosen, choose) {
  for (const [value, text] of Object.entries(names)) {
    const input = element("input", { type: "radio", name, value });
    input.checked = value === chosen;
    input.addEventListener("change", () => choose(value));
    byId(name).append(element("label", {}, input, element("span", {}, text)));
  }
}

function showTheme() {
  if (choice.theme()) document.documentElement.dataset.theme = choice.theme();
  else delete document.documentElement.dataset.theme;
  byId("theme").value = choice.theme();
}

function makeChoosers() {
  byId("tenant").addEventListener("change", (event) => choice.choose({ tenant: event.target.value, queue: null }));
  byId("queue").addEventListener("change", (event) => choice.choose({ queue: event.target.value }));
  byId("theme").addEventListener("change", (event) => choice.choose({ theme: event.target.value }));
  makeRadios("window", WINDOW_NAMES, choice.window_(), (window) => choice.choose({ window }));
  makeRadios("period", PERIOD_NAMES, choice.period(), (period) => choice.choose({ period }));
  byId("freshness-details").addEventListener("toggle", drawFreshness);
  makeLimits();
  makeWallSwitch();
}

function listen() {
  connect(choice.query(), { onNames: drawNames, onView: drawView });
}

choice.onChoice((isForServer) => {
  showTheme();
  showWall();
  if (isForServer) listen();
  else if (view !== null) drawView(view);
});

async function start() {
  showTheme();
  showWall();
  makeChoosers();
  setInterval(tick, 1000);
  setInterval(drawFreshness, 5000);
  while (Object.keys(metrics).length === 0) {
    try {
      ({ metrics } = await fetchJson("api/catalogue"));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
  choice.dropUnknown(metrics);
  listen();
}

start();
