// Whether the numbers are those of now, since when not, and why; what is read aloud.

import { byId, element, say } from "./dom.js";
import { fetchJson, serverNow, silentMs, standAt } from "./stream.js";
import { ago, clock, timeOfDay } from "./words.js";

const SILENCE_MS = 12_000;
const SUMMARY_EVERY_MS = 60_000;

const STATES = {
  connecting: ["Connecting", ""],
  offline: ["Disconnected", "Disconnected: these numbers stand still"],
  stale: ["Not current", "These numbers are not current"],
  live: ["Live", ""],
};

let summaryAt = 0;

function stateNow(view) {
  const silent = silentMs();
  if (silent === null) return "connecting";
  if (silent > SILENCE_MS) return "offline";
  return view !== null && view.faults.length > 0 ? "stale" : "live";
}

export function drawStatus(view, totals) {
  const state = stateNow(view);
  const [word, title] = STATES[state];
  if (document.body.dataset.state !== state) {
    document.body.dataset.state = state;
    summaryAt = 0;
  }
  const committedAt = view?.committed_at ?? null;
  standAt(state === "live" ? null : committedAt);
  say(byId("state"), word);
  say(byId("age"), state === "connecting" ? "" : committedAt === null ? "no data yet" : `data ${ago(serverNow() - committedAt)} old`);
  byId("notice").hidden = title === "";
  say(byId("notice-title"), title && committedAt !== null ? `${title} since ${timeOfDay(committedAt)}` : title);
  drawFaults(state === "offline" ? ["The board has not been heard from. The page tries again by itself."] : faultsOf(view));
  drawSummary(word, totals);
}

function faultsOf(view) {
  const more = view?.faults_left_out ? [`and ${view.faults_left_out} more`] : [];
  return [...(view?.faults ?? []), ...more];
}

function drawFaults(reasons) {
  const list = byId("faults");
  if (list.dataset.told === reasons.join("\n")) return;
  list.dataset.told = reasons.join("\n");
  list.replaceChildren(...reasons.map((reason) => element("li", {}, reason)));
}

// Read aloud once a minute and when the state changes, not at every number that moves.
function drawSummary(word, totals) {
  if (totals === null || (performance.now() - summaryAt < SUMMARY_EVERY_MS && summaryAt > 0)) return;
  summaryAt = performance.now();
  const lines = totals.map(({ tenant, calls, window }) => {
    const speed = calls.asa.value === null ? "no calls answered" : `answered after ${clock(calls.asa.value)}`;
    return `${tenant}: ${calls.inQueue} waiting, ${speed} ${window}`;
  });
  say(byId("summary"), [word, ...lines].join(". "));
}

function freshnessLine(each) {
  const told = [
    each.age_seconds === null ? "none yet" : `${Math.round(each.age_seconds)} s ago`,
    each.watermark === null ? "none yet" : `${each.watermark.slice(0, 19).replace("T", " ")} UTC`,
    each.next_offset < 0 ? "none yet" : each.next_offset.toLocaleString("en"),
    each.refused ? "refused" : !each.is_caught_up ? "catching up" : each.is_idle ? "idle" : "live",
  ];
  return element("tr", {}, element("th", { scope: "row" }, `${each.stream}/${each.partition}`), ...told.map((text) => element("td", {}, text)));
}

// Asked for only while somebody looks.
export async function drawFreshness() {
  if (!byId("freshness-details").open) return;
  const { partitions } = await fetchJson("api/freshness");
  document.querySelector("#freshness tbody").replaceChildren(...partitions.map(freshnessLine));
}
