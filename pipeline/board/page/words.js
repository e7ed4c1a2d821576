// Numbers as people read them. Absent is said as such and never as 0.

export const WINDOW_NAMES = { "1m": "1 min", "5m": "5 min", "15m": "15 min", "30m": "30 min", "1h": "1 h", today: "Today" };
export const PERIOD_NAMES = { today: "Today", "7d": "7 days", "30d": "30 days", "90d": "90 days", month: "Month" };
export const ABSENT = "–";

// A number and its unit stay on one line.
const KEEP = "\u00a0";
const two = (number) => String(number).padStart(2, "0");

// 0:27, 12:05, 1:02:03
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

// 45 s, 12 min, 3 h 5 min, 2 d 4 h
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}${KEEP}s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes}${KEEP}min`;
  if (minutes < 2880) return minutes % 60 ? `${Math.floor(minutes / 60)}${KEEP}h ${minutes % 60}${KEEP}min` : `${minutes / 60}${KEEP}h`;
  const hours = Math.round(minutes / 60);
  return hours % 24 ? `${Math.floor(hours / 24)}${KEEP}d ${hours % 24}${KEEP}h` : `${hours / 24}${KEEP}d`;
}

export const ago = (ms) => (ms < 120_000 ? `${Math.max(0, Math.round(ms / 1000))} s` : clock(ms / 1000));
export const timeOfDay = (ms) => new Date(ms).toLocaleTimeString("en-GB");
export const count = (number) => number.toLocaleString("en", { maximumFractionDigits: 1 });
export const percent = (ratio) => `${(ratio * 100).toFixed(Math.abs(ratio) < 0.0995 ? 1 : 0)}${KEEP}%`;
export const points = (number) => (number > 0 ? "+" : number < 0 ? "−" : "") + Math.abs(number).toFixed(0);

export function money(minor, currency) {
  try {
    const told = new Intl.NumberFormat("en", { style: "currency", currency });
    const digits = told.resolvedOptions().maximumFractionDigits;
    return new Intl.NumberFormat("en", { style: "currency", currency, maximumFractionDigits: 0 }).format(minor / 10 ** digits);
  } catch {
    return `${count(minor)} minor ${currency}`;
  }
}

const SHOWN = { seconds: clock, ratio: percent, count, points };

// A row of the view by its metric's unit.
export const shown = (row, unit) => (row && row.value !== null ? (SHOWN[unit] ?? count)(row.value) : ABSENT);

// "11 % to 13 %, n 2,738": what a number rests on.
export function basis(row, unit) {
  if (!row || row.value === null) return "";
  const told = [];
  const say = SHOWN[unit] ?? count;
  if (row.low !== null) told.push(row.high === null ? `at least ${say(row.low)}` : `${say(row.low)} to ${say(row.high)}`);
  if (row.n !== null) told.push(`n${KEEP}${row.n.toLocaleString("en")}`);
  return told.join(", ");
}
