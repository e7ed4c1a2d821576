// The last hour minute by minute: speed of answer as a line, offered calls as bars with the abandoned in them.

import { drawing, element, mark, say } from "./dom.js";
import { fetchJson } from "./stream.js";
import { ABSENT, clock, count } from "./words.js";

const EVERY_MS = 10_000;
const WIDTH = 360;
const HEIGHT = 56;
const known = (values) => values.filter((value) => value !== null);

function lineOf(values) {
  const most = Math.max(1, ...known(values));
  const step = WIDTH / values.length;
  let isDown = false;
  return values
    .map((value, place) => {
      if (value === null) {
        isDown = false;
        return "";
      }
      const at = `${((place + 0.5) * step).toFixed(1)} ${(HEIGHT - 3 - (value / most) * (HEIGHT - 6)).toFixed(1)}`;
      const move = isDown ? "L" : "M";
      isDown = true;
      return `${move}${at}${move === "M" ? "h0.1" : ""}`;
    })
    .join("");
}

function barsOf(values, most) {
  const step = WIDTH / values.length;
  return values
    .map((value, place) => (value ? `M${((place + 0.5) * step).toFixed(1)} ${HEIGHT}v${(-(value / most) * (HEIGHT - 4)).toFixed(1)}` : ""))
    .join("");
}

function picture(kind) {
  const paths = kind.map((each) => drawing("path", { class: each }));
  const node = drawing("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, ...paths);
  return { node, paths };
}

export class Hour {
  #asked = "";
  #at = -Infinity;

  constructor() {
    this.speed = picture(["line"]);
    this.calls = picture(["bars", "bars lost"]);
    this.speedText = element("figcaption");
    this.callsText = element("figcaption");
    this.node = element("div", { class: "hour" },
      element("figure", {}, this.speedText, this.speed.node), element("figure", {}, this.callsText, this.calls.node));
  }

  // At most every ten seconds, and at once when something else is chosen.
  async refresh(tenant, queue) {
    const asked = new URLSearchParams({ metric: "asa_queue,offered,abandoned", tenant, ...(queue ? { queue } : {}) }).toString();
    if (asked === this.#asked && performance.now() - this.#at < EVERY_MS) return;
    this.#asked = asked;
    this.#at = performance.now();
    try {
      const told = await fetchJson(`api/series?${asked}`);
      if (asked === this.#asked) this.#draw(told);
    } catch {
      // The page says by itself when the board is not heard.
    }
  }

  #draw(told) {
    const [asa, offered, abandoned] = told.series.map((each) => each.values);
    mark(this.speed.paths[0], "d", lineOf(asa));
    const most = Math.max(1, ...offered);
    mark(this.calls.paths[0], "d", barsOf(offered, most));
    mark(this.calls.paths[1], "d", barsOf(abandoned, most));
    const speeds = known(asa);
    const slowest = speeds.length ? `at most ${clock(Math.max(...speeds))}` : ABSENT;
    const sum = (values) => values.reduce((total, value) => total + value, 0);
    say(this.speedText, `Speed of answer by minute, last hour: ${slowest}`);
    say(this.callsText, `Offered ${count(sum(offered))}, given up ${count(sum(abandoned))}`);
    const last = asa.at(-2);
    const spoken = speeds.length
      ? `Average speed of answer per minute over the last hour: from ${clock(Math.min(...speeds))} to ${clock(Math.max(...speeds))}, last full minute ${last === null ? "no calls" : clock(last)}.`
      : "No calls answered in the last hour.";
    mark(this.speed.node, "aria-label", spoken);
    mark(this.calls.node, "aria-label", `Calls per minute over the last hour: ${sum(offered)} offered, ${sum(abandoned)} given up, at most ${Math.max(...offered)} offered in one minute.`);
  }
}
