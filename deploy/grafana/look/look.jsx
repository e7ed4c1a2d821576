// Draws one dashboard from recorded answers: ?board=success&mode=dark. What Grafana's panels do around its components is
// told here in short: defaults of colours, overrides, long answers of ClickHouse made into a series for each name.
import {
  applyFieldOverrides, createTheme, dateTime, EventBusSrv, FieldConfigOptionsRegistry, FieldType, getDisplayProcessor,
  getFieldDisplayValues, standardFieldConfigEditorRegistry, ThemeContext, toDataFrame,
} from "@grafana/data";
import { BigValue, PanelContextProvider, Table, TimeSeries } from "@grafana/ui";
import React from "react";
import { createRoot } from "react-dom/client";

const asked = new URLSearchParams(location.search);
const theme = createTheme({ colors: { mode: asked.get("mode") ?? "dark" } });
const WIDTH = 1800, COLUMN = WIDTH / 24, ROW = 38, PAD = 16, HEAD = 44, HALF_DAY = 43_200_000;
const as = (text) => text;
const options = ["unit", "noValue", "decimals", "thresholds", "color", "displayName"].map((id) => (
  { id, path: id, name: id, process: as, shouldApply: () => true, override: () => null, editor: () => null, settings: {} }
));
standardFieldConfigEditorRegistry.setInit(() => options);
const registry = new FieldConfigOptionsRegistry(() => options);

const IS_NUMBER = /^(Nullable\()?(U?Int|Float|Decimal)/;
const NAMED = /\{\{(\w+)\}\}/g;

function ofPrometheus({ legend, series }) {
  return series.map(({ metric, values, value }) => {
    const points = values ?? [value];
    const name = legend.replace(NAMED, (_, label) => metric[label] ?? "") || JSON.stringify(metric);
    return [
      { name: "Time", type: FieldType.time, values: points.map(([at]) => at * 1000), config: {} },
      { name: "Value", type: FieldType.number, values: points.map(([, told]) => Number(told)), config: { displayNameFromDS: name } },
    ];
  });
}

function cell(told, type) {
  if (told === null || type === FieldType.string) return told;
  return type === FieldType.number ? Number(told) : Date.parse(`${told.replace(" ", "T")}Z`);
}

function ofClickHouse({ columns, types, rows }, isGraph) {
  const typeOf = (kind) => IS_NUMBER.test(kind) ? FieldType.number : kind.includes("DateTime") ? FieldType.time : FieldType.string;
  const fields = columns.map((name, place) => {
    const type = typeOf(types[name]);
    return { name, type, values: rows.map((row) => cell(row[place], type)), config: {} };
  });
  if (!isGraph) return [fields];
  const [time, names] = [FieldType.time, FieldType.string].map((type) => fields.find((field) => field.type === type));
  const places = new Map();
  rows.forEach((_, place) => {
    const name = names?.values[place] ?? "";
    places.set(name, [...(places.get(name) ?? []), place]);
  });
  return [...places].flatMap(([name, mine]) => fields.filter((field) => field.type === FieldType.number).map((field) => [
    { ...time, values: mine.map((place) => time.values[place]) },
    { ...field, values: mine.map((place) => field.values[place]), labels: names && { [names.name]: name } },
  ]));
}

function framesOf(panel, answers) {
  const config = structuredClone(panel.fieldConfig);
  const isGraph = panel.type === "timeseries";
  config.defaults.color ??= { mode: isGraph ? "palette-classic" : "thresholds" };
  config.defaults.thresholds.steps.forEach((step) => { step.value ??= -Infinity; });
  const data = answers.flatMap((answer) => answer.series ? ofPrometheus(answer) : ofClickHouse(answer, isGraph))
    .map((fields) => toDataFrame({ fields }));
  const frames = applyFieldOverrides({ data, fieldConfig: config, replaceVariables: as, theme, timeZone: "utc", fieldConfigRegistry: registry });
  for (const field of frames.flatMap((frame) => frame.fields)) {
    field.config.custom = config.defaults.custom;
    if (config.defaults.displayName && field.labels) [field.config.displayName] = Object.values(field.labels);
    for (const { matcher, properties } of config.overrides ?? []) {
      if (matcher.id === "byRegexp" || matcher.options === field.name) {
        for (const { id, value } of properties) field.config[id] = value;
      }
    }
    field.display = getDisplayProcessor({ field, theme, timeZone: "utc" });
  }
  return { config, frames };
}

function Body({ panel, answers, width, height }) {
  const { config, frames } = framesOf(panel, answers);
  const nothing = <div className="nothing">{config.defaults.noValue}</div>;
  if (panel.type === "stat") {
    const [first] = getFieldDisplayValues({ fieldConfig: config, reduceOptions: panel.options.reduceOptions, replaceVariables: as, theme, data: frames, timeZone: "utc" });
    const { colorMode, textMode } = panel.options;
    return <BigValue {...{ width, height, theme, colorMode, textMode }} graphMode="none" justifyMode="auto" value={first?.display ?? { text: config.defaults.noValue, numeric: NaN }} />;
  }
  if (panel.type === "table") return frames[0]?.length ? <Table width={width} height={height} data={frames[0]} /> : nothing;
  const times = frames.flatMap((frame) => frame.fields.filter((field) => field.type === FieldType.time).flatMap((field) => field.values));
  if (!times.length) return nothing;
  const around = answers[0].series ? 1000 : HALF_DAY;
  const range = { from: dateTime(Math.min(...times) - around), to: dateTime(Math.max(...times) + around), raw: { from: "", to: "" } };
  return <TimeSeries {...{ width, height, frames }} timeRange={range} timeZone="utc" legend={panel.options.legend} options={{}} />;
}

class Guard extends React.Component {
  state = {};
  static getDerivedStateFromError(error) { return { error }; }
  render() { return this.state.error ? <div className="nothing">not drawn: {String(this.state.error)}</div> : this.props.children; }
}

function Placed({ panel, answers }) {
  const { x, y, w, h } = panel.gridPos;
  const place = { left: x * COLUMN, top: y * ROW, color: theme.colors.text.primary };
  if (panel.type === "row") return <div className="row" style={place}>{panel.title}</div>;
  const [width, height] = [w * COLUMN - 8, h * ROW - 8];
  const look = { width, height, background: theme.colors.background.primary, border: `1px solid ${theme.colors.border.weak}` };
  return (
    <div className="panel" style={{ ...place, ...look }}>
      <div className="title">{panel.title}</div>
      <Guard><Body {...{ panel, answers }} width={width - PAD} height={height - HEAD} /></Guard>
    </div>
  );
}

const answered = window.ANSWERS;
createRoot(document.getElementById("root")).render(
  <ThemeContext.Provider value={theme}>
    <PanelContextProvider value={{ eventBus: new EventBusSrv(), canAddAnnotations: () => false }}>
      <div style={{ position: "fixed", inset: 0, background: theme.colors.background.canvas }} />
      {answered[asked.get("board")].map((each) => <Placed key={each.panel.id} {...each} />)}
    </PanelContextProvider>
  </ThemeContext.Provider>,
);
setTimeout(() => { document.title = "drawn"; }, 2000);
