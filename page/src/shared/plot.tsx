/* Curves over steps. uPlot is loaded when the first is drawn. */
import { useEffect, useMemo, useRef, useState } from "react";
import type uPlot from "uplot";
import { num } from "./format";
import { joined, type PlotSeries, unit } from "./series";
import { colour, SERIES, useDark } from "./theme";

export { joined, smoothed, type PlotSeries } from "./series";

/** Curves in one plot; `log` for the logarithm of y, `time` where x is seconds since 1970. */
export function Plot({ series, height = 240, log = false, time = false, x = "step", label }: { series: PlotSeries[]; height?: number; log?: boolean; time?: boolean; x?: string; label: string }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [library, setLibrary] = useState<typeof uPlot | null>(null);
  const [failed, setFailed] = useState(false);
  const dark = useDark();
  const one = useMemo(() => unit(everyY(series)), [series]);
  const shape = JSON.stringify([series.map((one) => [one.label, one.series, one.thick]), log, time, x, height, dark, one]);

  useEffect(() => {
    let wanted = true;
    Promise.all([import("uplot"), import("uplot/dist/uPlot.min.css")]).then(
      ([module]) => wanted && setLibrary(() => module.default),
      () => wanted && setFailed(true),
    );
    return () => {
      wanted = false;
    };
  }, []);

  useEffect(() => {
    const target = box.current;
    if (!target || !library) return;
    const width = target.clientWidth || 600;
    const made = new library(options(series, { width, height, log, time, x, one }), data(series, log, one), target);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: Math.max(120, target.clientWidth), height }));
    observer.observe(target);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [library, shape]);

  useEffect(() => {
    plot.current?.setData(data(series, log, one));
  }, [series, log, one]);

  if (failed) return <p className="faint">The plot could not be loaded; reload the page.</p>;
  return <div className="plot" ref={box} style={{ minHeight: height + 30 }} role="img" aria-label={described(label, series)} />;
}

function* everyY(series: PlotSeries[]): Iterable<number> {
  for (const each of series) yield* Array.from(each.ys);
}

/** What is drawn, with `one` for 1. On a logarithmic axis there is no place for what is not above zero. */
function data(series: PlotSeries[], log: boolean, one: number): uPlot.AlignedData {
  const drawn = (y: number): number => (log && y <= 0 ? Number.NaN : y / one);
  return joined(log || one !== 1 ? series.map((each) => ({ ...each, ys: Array.from(each.ys, drawn) })) : series) as uPlot.AlignedData;
}

function described(label: string, series: PlotSeries[]): string {
  const ends = series.slice(0, 8).map((one) => `${one.label} ends at ${num(one.ys[one.ys.length - 1] ?? null)}`);
  return `${label}: ${ends.join(", ")}`;
}

/** Every second time round the colours, lines are dashed. */
const dashed = (one: PlotSeries | undefined, at: number): boolean => Math.floor((one?.series ?? at) / SERIES.length) % 2 === 1;

function options(series: PlotSeries[], how: { width: number; height: number; log: boolean; time: boolean; x: string; one: number }): uPlot.Options {
  // Beyond the largest number there is nothing to write.
  const text = (y: number): string => (Number.isFinite(y * how.one) ? num(y * how.one) : "");
  const ink = colour("faint");
  const line = { stroke: colour("line"), width: 1 };
  const axis = { stroke: ink, grid: line, ticks: line, font: "11px system-ui, sans-serif" };
  return {
    width: how.width,
    height: how.height,
    cursor: { points: { size: 7 }, focus: { prox: series.length > 1 ? 24 : -1 } },
    focus: { alpha: 0.25 },
    legend: { markers: { width: 2, dash: (_plot, at) => (dashed(series[at - 1], at - 1) ? "dashed" : "solid") } },
    scales: { x: { time: how.time }, y: { distr: how.log ? 3 : 1 } },
    axes: [
      { ...axis, size: 30 },
      { ...axis, size: 62, values: (_plot, ticks) => ticks.map((tick) => (tick === null ? "" : text(tick))) },
    ],
    series: [
      { label: how.x, value: (_plot, value) => (value === null ? "–" : num(value)) },
      ...series.map((one, at) => ({
        label: one.label,
        stroke: colour(SERIES[(one.series ?? at) % SERIES.length] ?? "accent"),
        width: one.thick ? 2.5 : 1.5,
        dash: dashed(one, at) ? [6, 4] : undefined,
        points: { show: one.xs.length < 40, size: 5 },
        value: (_plot: uPlot, value: number | null) => (value === null || value === undefined ? "–" : text(value)),
      })),
    ],
  };
}
