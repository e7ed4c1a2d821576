// What the reader chose. It lives in the address, so that a view can be kept and shared.

export const WINDOWS = ["1m", "5m", "15m", "30m", "1h", "today"];
export const PERIODS = ["today", "7d", "30d", "90d", "month"];
export const SWITCHED = { asa: "asa_queue", service_level: "service_level", churn: "churn" };
// Beyond these a tile of the wall turns red. Seconds, shares 0-1, counts.
export const LIMITS = { oldest: 120, service_level: 0.8, asa: 60, abandon_rate: 0.05, overdue: 0 };

const OF_THE_SERVER = ["tenant", "queue", "window", "period", ...Object.keys(SWITCHED)];

const chosen = new URLSearchParams(location.search);
const listeners = [];

function known(name, all, otherwise) {
  const value = chosen.get(name);
  return all.includes(value) ? value : otherwise;
}

export const tenant = () => chosen.get("tenant") ?? "";
export const queue = () => chosen.get("queue") ?? "";
export const window_ = () => known("window", WINDOWS, "5m");
export const period = () => known("period", PERIODS, "30d");
export const definition = (name) => chosen.get(name);
export const isWall = () => chosen.has("wall");
export const isComparing = () => chosen.has("compare");
export const theme = () => known("theme", ["light", "dark"], "");

export function limit(name) {
  const asked = chosen.get(`limit.${name}`);
  return asked !== null && asked !== "" && Number.isFinite(Number(asked)) ? Number(asked) : LIMITS[name];
}

// The part of the choice that the server answers.
export function query() {
  const asked = new URLSearchParams({ window: window_(), period: period() });
  for (const name of OF_THE_SERVER) {
    if (!asked.has(name) && chosen.get(name)) asked.set(name, chosen.get(name));
  }
  return asked;
}

// Null or "" takes a choice back. Listeners are told whether the server has to answer anew.
export function choose(changes) {
  const before = query().toString();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") chosen.delete(name);
    else chosen.set(name, value);
  }
  const text = chosen.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
  for (const listen of listeners) listen(before !== query().toString());
}

export const onChoice = (listen) => listeners.push(listen);

// A definition that does not exist is no choice.
export function dropUnknown(metrics) {
  for (const [name, metric] of Object.entries(SWITCHED)) {
    if (chosen.has(name) && !(chosen.get(name) in metrics[metric].definitions)) chosen.delete(name);
  }
}
