// The wall: few large numbers on which somebody can act now. A tile is red for a reason that it states.

import { oldestText } from "./calls.js";
import * as choice from "./choice.js";
import { byId, Children, element, mark, say } from "./dom.js";
import { ABSENT, ago, basis, clock, count, percent, span, timeOfDay, WINDOW_NAMES } from "./words.js";
import { serverNow, shownNow } from "./stream.js";

const FIELDS = [
  ["oldest", "Oldest waiting, seconds", 1], ["asa", "Average speed of answer, seconds", 1], ["service_level", "Service level at least, %", 100],
  ["abandon_rate", "Abandon rate at most, %", 100], ["overdue", "Tickets overdue at most", 1],
];

function oldestReason(calls, lines) {
  const waited = calls.oldestAt === null ? 0 : (shownNow() - calls.oldestAt) / 1000;
  if (waited <= choice.limit("oldest")) return "";
  const worst = lines.filter((line) => line.oldest_waiting[0] !== null).sort((one, other) => other.oldest_waiting[0] - one.oldest_waiting[0])[0];
  return `Somebody has waited for more than ${clock(choice.limit("oldest"))}${worst?.queue ? ` in ${worst.queue}` : ""}`;
}

function asaReason({ asa }, nMin) {
  if (asa.value === null || asa.n < nMin || asa.value <= choice.limit("asa")) return "";
  return `Answered after more than ${clock(choice.limit("asa"))} on average`;
}

function levelReason({ serviceLevel }) {
  if (serviceLevel.value === null || serviceLevel.high >= choice.limit("service_level")) return "";
  return `At best ${percent(serviceLevel.high)} in time, the limit is ${percent(choice.limit("service_level"))}`;
}

function abandonReason({ abandonRate }) {
  if (abandonRate.value === null || abandonRate.low <= choice.limit("abandon_rate")) return "";
  return `At least ${percent(abandonRate.low)} give up, the limit is ${percent(choice.limit("abandon_rate"))}`;
}

function overdueReason(overdue) {
  return overdue && overdue.value > choice.limit("overdue") ? `${count(overdue.value)} without a first answer beyond the target` : "";
}

const beside = (calls, name, window, text) => {
  const row = calls.over(name).find(([each]) => each === window)[1];
  return `${WINDOW_NAMES[window].toLowerCase()} ${row && row.value !== null ? text(row.value) : ABSENT}`;
};

function ageTile({ committed_at: at }, isCurrent) {
  const told = { key: "age", label: "Age of the data", value: at === null ? ABSENT : ago(serverNow() - at), isNone: at === null };
  return isCurrent || at === null ? told : { ...told, reason: `Not current since ${timeOfDay(at)}` };
}

// `lines`: the queues told; `overdue`, `oldestOverdue`: rows of tickets, if there are any.
export function wallTiles({ calls, lines, overdue, oldestOverdue }, view) {
  const told = [];
  if (calls) {
    const { asa, serviceLevel, abandonRate } = calls;
    const window = view.window === "today" ? "today" : `last ${WINDOW_NAMES[view.window]}`;
    told.push(
      { key: "waiting", label: "Waiting now", value: count(calls.inQueue), note: `${count(calls.counts.offered)} offered ${window}` },
      { key: "oldest", label: "Oldest waiting", value: oldestText(calls.oldestAt), isNone: calls.oldestAt === null, reason: oldestReason(calls, lines), note: `limit ${clock(choice.limit("oldest"))}` },
      { key: "asa", label: `Speed of answer, ${window}`, value: asa.value === null ? "no calls" : clock(asa.value), isNone: asa.value === null, reason: asaReason(calls, view.n_min), note: `limit ${clock(choice.limit("asa"))}, ${beside(calls, "asa", "1h", clock)}` },
      { key: "service_level", label: `Answered in 20 s, ${window}`, value: serviceLevel.value === null ? "no calls" : percent(serviceLevel.value), isNone: serviceLevel.value === null, reason: levelReason(calls), note: [basis({ ...serviceLevel, n: null }, "ratio"), `limit ${percent(choice.limit("service_level"))}`, beside(calls, "service_level", "today", percent)].filter(Boolean).join(", ") },
      { key: "abandon_rate", label: `Gave up, ${window}`, value: abandonRate.value === null ? "no calls" : percent(abandonRate.value), isNone: abandonRate.value === null, reason: abandonReason(calls), note: [basis({ ...abandonRate, n: null }, "ratio"), `limit ${percent(choice.limit("abandon_rate"))}`].filter(Boolean).join(", ") },
    );
  }
  if (overdue) {
    told.push({ key: "overdue", label: "Tickets overdue", value: count(overdue.value), reason: overdueReason(overdue), note: oldestOverdue?.value ? `the oldest for ${span(oldestOverdue.value)}` : "" });
  }
  return [...told, ageTile(view, document.body.dataset.state === "live")];
}

function makeTile({ key, label }) {
  const tile = { label: element("h3", {}, label), value: element("p", { class: "value" }), note: element("p", { class: "note" }), reason: element("p", { class: "reason" }) };
  tile.node = element("article", { class: "wall-tile", "data-tile": key }, tile.label, tile.value, tile.reason, tile.note);
  return tile;
}

export class Wall {
  constructor() {
    this.node = element("div", { class: "wall" });
    this.children = new Children(this.node, makeTile);
  }

  draw(told, view) {
    this.children.draw(wallTiles(told, view), (each) => each.key, (tile, each) => {
      say(tile.label, each.label);
      say(tile.value, each.value);
      say(tile.note, each.note);
      say(tile.reason, each.reason ?? "");
      tile.reason.hidden = !each.reason;
      tile.node.classList.toggle("alarm", Boolean(each.reason));
      tile.node.classList.toggle("none", Boolean(each.isNone));
    });
  }
}

export function makeLimits() {
  for (const [name, label, scale] of FIELDS) {
    const input = element("input", { type: "number", min: "0", step: "any", id: `limit-${name}` });
    const shown = () => { input.value = String(Math.round(choice.limit(name) * scale * 100) / 100); };
    shown();
    input.addEventListener("change", () => {
      const asked = input.value === "" ? null : Number(input.value) / scale;
      choice.choose({ [`limit.${name}`]: asked === null || asked === choice.LIMITS[name] ? null : String(asked) });
      shown();
    });
    byId("limit-fields").append(element("label", { class: "field" }, label, input));
  }
}

export function makeWallSwitch() {
  const button = byId("wall-switch");
  const turn = (isOn) => choice.choose({ wall: isOn ? "1" : null });
  button.addEventListener("click", () => turn(!choice.isWall()));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && choice.isWall()) {
      turn(false);
      button.focus();
    }
  });
}

export function showWall() {
  const isOn = choice.isWall();
  document.body.classList.toggle("on-wall", isOn);
  mark(byId("wall-switch"), "aria-pressed", isOn);
  say(byId("wall-switch"), isOn ? "Leave the wall" : "Wall");
}
