// The same data by every definition, side by side, each with its sentence.

import * as choice from "./choice.js";
import { Children, element, mark, say } from "./dom.js";
import { ABSENT, basis, clock, percent } from "./words.js";

const TITLES = { asa: ["Average speed of answer", clock], service_level: ["Service level", percent], churn: ["Churn", percent] };

function makeLine({ name, definition }) {
  const cell = (kind) => element("td", { role: "cell", class: kind });
  const line = { value: cell("number"), basis: cell("basis"), sentence: cell("sentence") };
  line.button = element("button", { type: "button", class: "link" }, definition.replaceAll("_", " "));
  line.button.addEventListener("click", () => choice.choose({ [name]: definition }));
  line.node = element("tr", { role: "row", "data-definition": definition }, element("th", { scope: "row", role: "rowheader" }, line.button), line.value, line.basis, line.sentence);
  return line;
}

function makeGroup({ name }) {
  const body = element("tbody", { role: "rowgroup" });
  const node = element("table", { role: "table", class: "definitions", "data-switch": name }, element("caption", {}, TITLES[name][0]), body);
  return { node, lines: new Children(body, makeLine) };
}

export class Compare {
  constructor() {
    const body = element("div", { class: "compared" });
    this.groups = new Children(body, makeGroup);
    this.node = element("details", { class: "compare" }, element("summary", {}, "The same data by other definitions"), body);
    this.node.open = choice.isComparing();
    this.node.addEventListener("toggle", () => {
      if (this.node.open !== choice.isComparing()) choice.choose({ compare: this.node.open ? "1" : null });
    });
  }

  // `told`: by switch, every row of the metric in the window shown.
  draw(told, metrics) {
    const groups = Object.entries(told).filter(([, rows]) => rows.length).map(([name, rows]) => ({ name, rows }));
    this.node.hidden = groups.length === 0;
    this.groups.draw(groups, ({ name }) => name, (group, { name, rows }) => {
      const { definitions } = metrics[choice.SWITCHED[name]];
      const [, text] = TITLES[name];
      const chosen = choice.definition(name) ?? Object.keys(definitions)[0];
      const ordered = Object.keys(definitions).flatMap((each) => rows.filter((row) => row.definition === each));
      group.lines.draw(ordered.map((row) => ({ name, ...row })), (row) => row.definition, (line, row) => {
        say(line.value, row.value === null ? ABSENT : text(row.value));
        say(line.basis, basis(row, "ratio"));
        say(line.sentence, definitions[row.definition]);
        mark(line.node, "aria-current", row.definition === chosen ? "true" : null);
        mark(line.button, "aria-pressed", row.definition === chosen);
      });
    });
  }
}
