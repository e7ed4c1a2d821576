// The board's events, and its clock. One connection at a time, for what is chosen.

const RETRY_MS = 2000;

let events = null;
let retry = 0;
let clockOffset = 0;
let heardAt = null;
let standsAt = null;

export const serverNow = () => Date.now() + clockOffset;
// What grows by itself stands still with the numbers that are not current.
export const standAt = (at) => {
  standsAt = at;
};
export const shownNow = () => standsAt ?? serverNow();
export const silentMs = () => (heardAt === null ? null : performance.now() - heardAt);

export function connect(query, { onNames, onView }) {
  clearTimeout(retry);
  events?.close();
  const own = (events = new EventSource(`events?${query}`));
  own.addEventListener("alive", (event) => {
    heardAt = performance.now();
    clockOffset = Number(event.data) - Date.now();
  });
  own.addEventListener("names", (event) => onNames(JSON.parse(event.data)));
  own.addEventListener("view", (event) => onView(JSON.parse(event.data)));
  own.addEventListener("error", () => {
    if (own !== events || own.readyState !== EventSource.CLOSED) return;
    retry = setTimeout(() => connect(query, { onNames, onView }), RETRY_MS);
  });
}

export async function fetchJson(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}
