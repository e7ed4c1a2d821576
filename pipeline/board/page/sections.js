// What is told beside calls: tickets, voice, success, people. Each part shows only what the board was told of.

import * as choice from "./choice.js";
import { band, isThin } from "./calls.js";
import { ABSENT, basis, count, money, percent, PERIOD_NAMES, points, span } from "./words.js";

const SURVEYS = "no answers";

// One number as a tile; undefined when the board does not keep it for the period.
function tile(key, label, row, text, view, more = {}) {
  if (!row) return undefined;
  const { none = ABSENT, unit, scale, note, ...rest } = more;
  const isNone = row.value === null;
  return {
    key, label, value: isNone ? none : text(row.value), isNone, isThin: isThin(row, view.n_min),
    note: isNone ? "" : [basis(row, unit), note].filter(Boolean).join(", "),
    band: scale ? band(row, ...scale) : undefined, ...rest,
  };
}

function shares(rows, name, order) {
  const total = rows.reduce((sum, row) => sum + row.value, 0);
  return rows
    .toSorted((one, other) => order(one.dims[name]) - order(other.dims[name]))
    .map((row) => [row.dims[name].replaceAll("_", " "), count(row.value), total ? row.value / total : 0]);
}

const AGES = ["0-1h", "1-4h", "4-8h", "8-24h", "24h+"];
const STAGES = ["onboarding", "adoption", "retention", "expansion", "renewal", "at_risk", "advocacy", "churned"];
const placeIn = (known) => (name) => (known.indexOf(name) + 1 || known.length + 1);
const sumOf = (rows) => rows.reduce((sum, row) => sum + row.value, 0);

function tickets(rows, view) {
  const at = { window: view.period };
  const first = rows.one("frt", at);
  const business = rows.one("frt_business", at);
  const isPart = first && business && business.value !== null && business.value < first.value;
  const overdue = rows.one("frt_overdue");
  const oldest = rows.one("frt_overdue_oldest");
  const ages = rows.all("backlog");
  return [
    tile("frt", "First response", first, span, view, {
      none: "no first response", note: isPart ? `${span(business.value)} of it in business hours` : "",
    }),
    tile("nrt", "Next response", rows.one("nrt", at), span, view, { none: "no next response" }),
    ages.length ? { key: "backlog", label: "Open now, by age", value: count(sumOf(ages)), parts: shares(ages, "age", placeIn(AGES)) } : undefined,
    overdue && {
      key: "overdue", label: "Waiting too long for a first answer", value: count(overdue.value),
      note: oldest && oldest.value !== null ? `the oldest for ${span(oldest.value)}` : "",
    },
    tile("resolution", "Time to resolution", rows.one("resolution", at), span, view, { none: "none resolved" }),
    tile("reopened", "Reopened within 72 h", rows.one("reopen_rate", at), percent, view, { none: "none solved 72 h ago", unit: "ratio", scale: [0, 1] }),
    tile("custom_work", "With custom work", rows.one("custom_work_share", at), percent, view, { none: "none created", unit: "ratio", scale: [0, 1] }),
  ];
}

function voice(rows, view) {
  const at = { window: view.period };
  const who = ["promoters", "passives", "detractors"].map((name) => [name, rows.one(name, at)]).filter(([, row]) => row);
  const total = who.reduce((sum, [, row]) => sum + row.value, 0);
  const parts = total ? who.map(([name, row]) => [name, count(row.value), row.value / total]) : undefined;
  return [
    tile("csat", "Satisfied (CSAT)", rows.one("csat", at), percent, view, { none: SURVEYS, unit: "ratio", scale: [0, 1] }),
    tile("nps", "Would recommend (NPS)", rows.one("nps", at), points, view, { none: SURVEYS, unit: "points", scale: [-100, 100], parts }),
    tile("csat_response_rate", "Surveys answered", rows.one("csat_response_rate", at), percent, view, { none: "none sent", unit: "ratio", scale: [0, 1] }),
  ];
}

// Amounts and their ratios stand by currency and are never added.
function byCurrency(rows, metric, where, text) {
  const found = rows.all(metric, where).filter((row) => row.value !== null)
    .toSorted((one, other) => one.dims.currency.localeCompare(other.dims.currency));
  return found.map((row) => [row.dims.currency, text(row.value, row.dims.currency)]);
}

function moneyTile(key, label, told) {
  if (!told.length) return undefined;
  return { key, label, value: told.map(([, text]) => text).join("\n"), note: told.map(([currency]) => currency).join(", ") };
}

function invited(rows, at) {
  const told = [["colleagues", rows.one("invites", at)], ["others", rows.one("referrals", at)]].filter(([, row]) => row);
  return told.length
    ? { key: "invited", label: "Invited", value: count(sumOf(told.map(([, row]) => row))), parts: told.map(([name, row]) => [name, count(row.value)]) }
    : undefined;
}

function success(rows, view, metrics) {
  const at = { window: view.period };
  const churn = rows.one("churn", { ...at, definition: choice.definition("churn") ?? Object.keys(metrics.churn.definitions)[0] });
  const censored = rows.one("time_to_value_censored");
  const notYet = censored && censored.value !== null ? [["not there yet", percent(censored.value), censored.value]] : undefined;
  const active = [["active_1d", "today"], ["active_7d", "7 days"], ["active_28d", "28 days"]].map(([name, text]) => [text, rows.one(name)]);
  const most = active[2][1]?.value;
  return [
    tile("churn", "Accounts lost (churn)", churn, percent, view, { none: "no accounts", unit: "ratio", scale: [0, 1], definition: "churn" }),
    moneyTile("nrr", "Net revenue retention", byCurrency(rows, "nrr", at, percent)),
    moneyTile("grr", "Gross revenue retention", byCurrency(rows, "grr", at, percent)),
    moneyTile("mrr", "Monthly recurring revenue", byCurrency(rows, "mrr", {}, money)),
    moneyTile("clv", "Customer lifetime value, predicted", byCurrency(rows, "clv_predictive", at, money)),
    tile("active_accounts", "Paying accounts", rows.one("active_accounts"), count, view, { note: rows.has("seats") ? `${count(rows.one("seats").value)} seats` : "" }),
    tile("adoption", "Adopted", rows.one("adoption"), percent, view, { none: "nobody eligible", unit: "ratio", scale: [0, 1] }),
    active[2][1] && {
      key: "active", label: "Active in 28 days", value: count(most),
      parts: active.map(([text, row]) => [text, count(row.value), most ? row.value / most : 0]),
    },
    tile("time_to_value", "Mean time to value", rows.one("time_to_value_mean"), span, view, { none: "nobody there yet", parts: notYet }),
    invited(rows, at),
    tile("activation", "Activated in time", rows.one("activation"), percent, view, { none: "nobody judged yet", unit: "ratio", scale: [0, 1] }),
  ];
}

function people(rows, view) {
  const at = { window: view.period };
  const stages = rows.all("accounts_in_stage");
  return [
    stages.length
      ? { key: "stages", label: "Accounts by stage", value: count(sumOf(stages)), parts: shares(stages, "stage", placeIn(STAGES)) }
      : undefined,
    tile("headcount", "Agents on the staff", rows.one("headcount"), count, view),
    tile("attrition", "Attrition", rows.one("attrition", at), percent, view, { none: "nobody on the staff", unit: "ratio" }),
    tile("mobility", "Moved rather than left", rows.one("internal_mobility", at), percent, view, { none: "nobody moved or left", unit: "ratio", scale: [0, 1] }),
  ];
}

export const SECTIONS = [
  ["tickets", "Tickets", tickets],
  ["voice", "Voice of the customer", voice],
  ["success", "Success and revenue", success],
  ["people", "Stages and staff", people],
];

export function sectionTiles(read, rows, view, metrics) {
  return read(rows, view, metrics).filter(Boolean);
}

export const periodText = (view) => (view.period === "today" ? "today" : view.period === "month" ? "this month" : `last ${PERIOD_NAMES[view.period]}`);
