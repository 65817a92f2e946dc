/* The numbers of a run: their last values with the change to the run before, and their curves. */

import { memo, useMemo } from "react";
import type { Curve, Curves, RunPage } from "../api";
import { query, useAsk } from "../client";
import { Asked, type Column, Empty, many, Num, num, Plot, smoothed, Table, Text, useSearch, visible } from "../shared";
import { address } from "./asking";
import { type Across, byName, lines, undrawable } from "./curves";
import { Change } from "./head";
import type { TabProps } from "./index";

/** Points of a curve that are asked for: more than a screen has columns. */
const POINTS = 1500;
/** Names whose curves are shown at once; others by search. */
const MOST = 24;

export function MetricsTab({ run, chosen }: TabProps) {
  const [search, set] = useSearch();
  const find = search.get("find") ?? "";
  const names = useMemo(() => named(run, find, null), [run.curves, find]);
  const shown = names.slice(0, MOST);
  const weight = Math.max(0, Math.min(0.99, Number(search.get("smooth") ?? 0) || 0));
  const log = search.get("log") === "1";
  const across: Across = search.get("x") === "time" ? "time" : "step";
  const single = run.curves.length > 0;
  if (Object.keys(run.metrics).length === 0 && !single)
    return (
      <Empty title={run.status === "running" ? "No numbers yet" : "This run recorded no numbers"}>
        Inside of a step, <code>log.metric("loss", value, step=i)</code> records one; with <code>step</code> it becomes a curve.
      </Empty>
    );
  return (
    <>
      <div className="bar">
        <input type="search" aria-label="find metrics" placeholder="name" value={find} onChange={(event) => set({ find: event.target.value })} />
        {single && (
          <>
            <label className="tick">
              smoothing
              <input type="range" min={0} max={0.99} step={0.01} value={weight} onChange={(event) => set({ smooth: event.target.value === "0" ? null : event.target.value })} />
              <span className="num">{weight.toFixed(2)}</span>
            </label>
            <label className="tick">
              <input type="checkbox" checked={log} onChange={(event) => set({ log: event.target.checked ? "1" : null })} /> logarithmic
            </label>
            <label className="tick">
              over
              <select value={across} onChange={(event) => set({ x: event.target.value === "time" ? "time" : null })}>
                <option value="step">steps</option>
                <option value="time">seconds</option>
              </select>
            </label>
          </>
        )}
        {names.length > MOST && <span className="faint">curves of {MOST} of {many(names.length, "name")}: search for the others</span>}
      </div>
      {shown.length > 0 && <Drawings run={run} names={shown} weight={weight} log={log} across={across} chosen={chosen?.node ?? null} />}
      <LastValues run={run} find={find} />
    </>
  );
}

/** The names that have a curve worth drawing: of more than one point. */
function named(run: RunPage, find: string, node: number | null): string[] {
  const wanted = find.trim().toLowerCase();
  const found = run.curves.filter((one) => one.count > 1 && (node === null || one.node === node) && one.name.toLowerCase().includes(wanted));
  return [...new Set(found.map((one) => one.name))].sort();
}

interface Look {
  weight: number;
  log: boolean;
  across: Across;
  chosen: number | null;
}

function Drawings({ run, names, ...look }: Look & { run: RunPage; names: string[] }) {
  const asked = useAsk<Curves>(address(run.run, `/curves${query({ name: names, most: POINTS })}`), { keep: true, fresh: run.status === "running" ? 0 : 60_000 });
  return (
    <Asked query={asked}>
      {(found) => {
        const curves = byName(found.curves);
        return (
          <div className="curves">
            {names.map((name) => {
              const own = (curves.get(name) ?? []).filter((curve) => curve.values.length > 0);
              return own.length > 0 && <Drawing key={name} name={name} curves={own} {...look} />;
            })}
          </div>
        );
      }}
    </Asked>
  );
}

/** Curves that fit into one plot; the steps of wide graphs are more than can be told apart. */
const LINES = 24;

const Drawing = memo(function Drawing({ name, curves, weight, log, across, chosen }: Look & { name: string; curves: Curve[] }) {
  const some = useMemo(() => {
    const own = curves.filter((curve) => curve.node === chosen);
    return [...own, ...curves.filter((curve) => curve.node !== chosen)].slice(0, LINES);
  }, [curves, chosen]);
  const series = useMemo(
    () => lines(some, across, weight === 0).map((one, i) => ({ ...one, ys: smoothed(one.ys, weight), label: visible(one.label), series: i, thick: some[i]?.node === chosen })),
    [some, across, weight, chosen],
  );
  const left = undrawable(some, log);
  return (
    <figure className="panel">
      <figcaption>
        <b>
          <Text>{name}</Text>
        </b>
        <span className="faint">
          {curves.length > LINES && ` ${LINES} of ${curves.length} curves`}
          {some.some((one) => one.count > one.values.length) && ` ${num(Math.max(...some.map((one) => one.count)))} points, thinned to their ${weight === 0 ? "least and greatest" : "means"}`}
          {left > 0 && ` ${many(left, "value")} not drawn: not finite${log ? ", or not above 0" : ""}`}
        </span>
      </figcaption>
      <Plot series={series} log={log} x={across === "time" ? "seconds" : "step"} label={visible(name)} height={200} />
    </figure>
  );
});

interface Row {
  name: string;
  direction: "" | "higher" | "lower";
}

function LastValues({ run, find }: { run: RunPage; find: string }) {
  const before = useAsk<RunPage>(run.previous ? address(run.previous) : null, { fresh: 600_000 });
  const rows: Row[] = Object.keys(run.metrics)
    .filter((name) => name.toLowerCase().includes(find.trim().toLowerCase()))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .map((name) => ({ name, direction: run.directions[name] ?? "" }));
  if (rows.length === 0) return null;
  const old = before.data?.metrics ?? {};
  const columns: Column<Row>[] = [
    { id: "name", head: "metric", cell: (row) => <Text>{row.name}</Text> },
    { id: "value", head: visible(run.run), align: "right", cell: (row) => <Num value={run.metrics[row.name]} /> },
    ...(run.previous
      ? ([
          { id: "before", head: visible(run.previous), align: "right", cell: (row) => <Num value={old[row.name]} /> },
          { id: "change", head: "change", align: "right", cell: (row) => <Change now={run.metrics[row.name]} before={old[row.name]} direction={row.direction} /> },
        ] as Column<Row>[])
      : []),
    { id: "better", head: "better", cell: (row) => <span className="faint">{row.direction}</span> },
  ];
  return (
    <section>
      <h2>Last values</h2>
      <Table caption="last values of the metrics" columns={columns} rows={rows} rowKey={(row) => row.name} />
    </section>
  );
}
