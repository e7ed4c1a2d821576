// A tile: one number with its name, what it rests on, its interval as a band, and what it is made of.
//
// A tile told is {key, label, value, note, isNone, isThin, band: {low, value, high, least, most}, parts: [[name, text, share]],
// definition: name of a switch,
// isOverTime: parts are windows}. Only key, label and value are needed.

import * as choice from "./choice.js";
import { Children, element, fillSelect, mark, say } from "./dom.js";

export function makeBand() {
  const node = element("span", { class: "band", "aria-hidden": "true" }, element("i"), element("b"));
  return { node };
}

export function drawBand(band, told) {
  band.node.hidden = !told;
  if (!told) return;
  const place = (number) => Math.min(1, Math.max(0, (number - told.least) / (told.most - told.least)));
  band.node.style.setProperty("--low", place(told.low ?? told.value));
  band.node.style.setProperty("--high", place(told.high ?? told.most));
  band.node.style.setProperty("--value", place(told.value));
}

function makePart([name]) {
  const value = element("dd");
  const bar = element("i", { "aria-hidden": "true" });
  return { node: element("div", {}, element("dt", {}, name), value, bar), value, bar };
}

function drawPart(part, [, text, share]) {
  say(part.value, text);
  part.bar.hidden = share === undefined;
  if (share !== undefined) part.bar.style.setProperty("--share", share);
}

function makeSwitch(name, label) {
  const node = element("select", { class: "switch", "aria-label": `Definition of ${label}` });
  node.addEventListener("change", () => choice.choose({ [name]: node.value }));
  return node;
}

function makeTile(told) {
  const tile = {
    label: element("h4", {}, told.label),
    value: element("p", { class: "value" }),
    note: element("p", { class: "note" }),
    band: makeBand(),
    parts: element("dl", { class: "parts" }),
  };
  tile.children = new Children(tile.parts, makePart);
  const head = element("div", { class: "head" }, tile.label);
  if (told.definition) {
    tile.switch = makeSwitch(told.definition, told.label);
    head.append(tile.switch);
  }
  if (told.isOverTime) tile.parts.classList.add("over-time");
  tile.node = element("article", { class: "tile", "data-tile": told.key }, head, tile.value, tile.note, tile.band.node, tile.parts);
  return tile;
}

function drawTile(tile, told, metrics) {
  say(tile.label, told.label);
  say(tile.value, told.value);
  say(tile.note, [told.isThin ? "few" : "", told.note].filter(Boolean).join(", "));
  tile.note.hidden = tile.note.textContent === "";
  tile.node.classList.toggle("none", Boolean(told.isNone));
  tile.node.classList.toggle("thin", Boolean(told.isThin));
  drawBand(tile.band, told.band);
  tile.parts.hidden = !told.parts;
  tile.children.draw(told.parts ?? [], ([name]) => name, drawPart);
  if (tile.switch) {
    const known = metrics[choice.SWITCHED[told.definition]].definitions;
    const names = Object.keys(known);
    fillSelect(tile.switch, names.map((name) => [name, name.replaceAll("_", " ")]), choice.definition(told.definition) ?? names[0]);
    mark(tile.switch, "title", known[tile.switch.value]);
  }
}

export class Tiles {
  constructor() {
    this.node = element("div", { class: "tiles" });
    this.children = new Children(this.node, makeTile);
  }

  draw(told, metrics) {
    this.children.draw(told, (each) => each.key, (tile, each) => drawTile(tile, each, metrics));
  }
}
