/* Curves of several runs in one plot for each name. */
import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Curve, Curves, RunPage, RunSummary } from "../api";
import { ask, query } from "../client";
import { Empty, number, Plot, smoothed, useSearch, visible, Wait, type PlotSeries } from "../shared";

/** Names are looked for in so many of the runs. */
const LOOKED = 3;
const USUAL = 4;
const MOST = 800;
/** Points of a curve where there are many of them: each is a thin line then. */
const FEWER = 300;

export function Overlay({ runs, metrics }: { runs: RunSummary[]; metrics: string[] }) {
  const [search, set] = useSearch();
  const pages = useQueries({
    queries: runs.slice(0, LOOKED).map((run) => ({
      queryKey: [`/runs/${run.run}`],
      queryFn: ({ signal }: { signal: AbortSignal }) => ask<RunPage>(`/runs/${encodeURIComponent(run.run)}`, signal),
    })),
  });
  const names = [...new Set(pages.flatMap((page) => page.data?.curves.filter((curve) => curve.count > 1).map((curve) => curve.name) ?? []))].sort(
    (a, b) => metrics.indexOf(a) - metrics.indexOf(b) || a.localeCompare(b),
  );
  const asked = search.getAll("curve").filter((name) => names.includes(name));
  const chosen = asked.length ? asked : names.slice(0, USUAL);
  const weight = Math.min(0.99, Math.max(0, Number(search.get("smooth") ?? 0) || 0));
  const log = search.get("log") === "1";
  const over = search.get("over") === "time" ? "time" : "step";
  if (pages.some((page) => page.isPending)) return <Wait />;
  if (names.length === 0)
    return (
      <Empty title="No curves" command={'log.metric("loss", value, step=i)'}>
        A metric that is recorded with a step is a curve, and the curves of these runs are drawn over one another here.
      </Empty>
    );
  const turn = (name: string) => set({ curve: chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name] });
  return (
    <>
      <div className="bar">
        {names.slice(0, 40).map((name) => (
          <button key={name} type="button" aria-pressed={chosen.includes(name)} onClick={() => turn(name)}>
            {visible(name)}
          </button>
        ))}
        <span className="grow" />
        <label className="inline">
          smoothing
          <input type="range" min="0" max="0.98" step="0.02" value={weight} onChange={(event) => set({ smooth: event.target.value === "0" ? null : event.target.value })} />
        </label>
        <button type="button" aria-pressed={log} onClick={() => set({ log: log ? null : "1" })}>
          log
        </button>
        <select aria-label="over" value={over} onChange={(event) => set({ over: event.target.value === "step" ? null : event.target.value })}>
          <option value="step">over steps</option>
          <option value="time">over seconds</option>
        </select>
      </div>
      <Drawn runs={runs} names={chosen} weight={weight} log={log} over={over} />
    </>
  );
}

function Drawn({ runs, names, weight, log, over }: { runs: RunSummary[]; names: string[]; weight: number; log: boolean; over: "step" | "time" }) {
  const asked = useQueries({
    queries: runs.map((run) => {
      const path = `/runs/${encodeURIComponent(run.run)}/curves${query({ name: names, most: runs.length > 12 ? FEWER : MOST })}`;
      return {
        queryKey: [path],
        queryFn: ({ signal }: { signal: AbortSignal }) => ask<Curves>(path, signal),
        enabled: names.length > 0,
        refetchInterval: run.status === "running" ? 1500 : (false as const),
      };
    }),
  });
  const stamp = asked.map((one) => one.dataUpdatedAt).join();
  const curves = useMemo(() => asked.map((one) => one.data?.curves ?? []), [stamp]);
  // All at once: a plot that is made anew for each run that arrives is made fifty times.
  const missing = asked.filter((one) => one.isPending).length;
  if (missing > 0)
    return (
      <p className="faint" role="status">
        {runs.length - missing} of {runs.length} runs
      </p>
    );
  return (
    <div className="plots">
      {names.map((name) => (
        <OnePlot key={name} name={name} runs={runs} curves={curves} weight={weight} log={log} over={over} />
      ))}
    </div>
  );
}

function OnePlot({ name, runs, curves, weight, log, over }: { name: string; runs: RunSummary[]; curves: Curve[][]; weight: number; log: boolean; over: "step" | "time" }) {
  const series = useMemo(() => seriesOf(name, runs, curves, weight, over), [name, runs, curves, weight, over]);
  return (
    <figure className="panel">
      <figcaption>{visible(name)}</figcaption>
      <Plot series={series} log={log} x={over === "time" ? "seconds" : "step"} label={name} height={260} />
    </figure>
  );
}

/** The curves of one name as series, each in the colour of its run. */
export function seriesOf(name: string, runs: RunSummary[], curves: Curve[][], weight: number, over: "step" | "time"): PlotSeries[] {
  return runs.flatMap((run, at) => {
    const found = (curves[at] ?? []).filter((curve) => curve.name === name);
    return found.map((curve) => ({
      label: found.length > 1 ? `${run.run} ${visible(curve.id)}` : visible(run.run),
      xs: over === "time" ? curve.times.map((time) => time - (curve.times[0] ?? 0)) : curve.steps,
      ys: smoothed(curve.values.map(number), weight),
      series: at,
    }));
  });
}
