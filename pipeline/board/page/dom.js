// Making and changing elements: text only, never markup, and nothing touched that has not changed.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function drawing(tag, properties = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Neither a selection nor a screen reader is disturbed by what stays the same.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function mark(node, name, value) {
  if (value === null || value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// Children of `parent` by key, in the order told: made once, drawn each time, removed when no longer told.
export class Children {
  #known = new Map();

  constructor(parent, make) {
    this.parent = parent;
    this.make = make;
  }

  draw(told, keyOf, drawOne) {
    const present = new Set(told.map(keyOf));
    for (const [key, child] of this.#known) {
      if (present.has(key)) continue;
      child.node.remove();
      this.#known.delete(key);
    }
    told.forEach((each, place) => {
      const key = keyOf(each);
      let child = this.#known.get(key);
      if (!child) this.#known.set(key, (child = this.make(each)));
      const there = this.parent.children[place];
      if (there !== child.node) this.parent.insertBefore(child.node, there ?? null);
      drawOne(child, each);
    });
  }

  [Symbol.iterator]() {
    return this.#known.values();
  }
}

export function fillSelect(select, options, chosen) {
  const told = JSON.stringify(options);
  if (select.dataset.told !== told) {
    select.dataset.told = told;
    select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  }
  if (select.value !== chosen) select.value = chosen;
}
