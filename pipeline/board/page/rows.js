// Rows of the view by metric: [metric, definition, window, dimensions, value, n, low, high].

export class Rows {
  #byMetric = new Map();

  constructor(told) {
    for (const [metric, definition, window, dims, value, n, low, high] of told) {
      const row = { metric, definition, window, dims, value, n, low, high };
      if (this.#byMetric.has(metric)) this.#byMetric.get(metric).push(row);
      else this.#byMetric.set(metric, [row]);
    }
  }

  has(metric) {
    return this.#byMetric.has(metric);
  }

  all(metric, where = {}) {
    return (this.#byMetric.get(metric) ?? []).filter((row) => Object.entries(where).every(([name, value]) => row[name] === value));
  }

  one(metric, where = {}) {
    return this.all(metric, where)[0];
  }
}
