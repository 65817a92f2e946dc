/* Many runs in one picture: parallel coordinates, and one thing against another. */
import { useState, type PointerEvent } from "react";
import type { Comparison, Json, Num } from "../api";
import { Empty, many, navigate, num, plain, RunLink, useSearch, to, visible } from "../shared";
import { axesOf, axisOf, brushesOf, brushText, usualAxes, type Axis, type Brushes } from "./scales";

type Values = Record<string, Json | Num | null>;

export function Charts({ comparison, kind }: { comparison: Comparison; kind: "parallel" | "scatter" }) {
  const axes = axesOf(comparison);
  if (comparison.runs.length < 2 || axes.size < 2)
    return (
      <Empty title="Too little to draw" command="stepwell run --sweep depth=2,3,4">
        A picture of runs needs two runs, and two numbers or parameters that they have.
      </Empty>
    );
  return kind === "parallel" ? <Parallel comparison={comparison} /> : <Scatter comparison={comparison} />;
}

const named = (value: Json | Num | null | undefined): string => (typeof value === "number" ? num(value) : plain(value ?? undefined));

/** From one end of the last axis to the other, through two colours that stay readable. */
const tint = (share: number | null): string => (share === null ? "var(--faint)" : `color-mix(in oklab, var(--series-2) ${Math.round(share * 100)}%, var(--series-6))`);

const W = 1000;
const H = 380;
const TOP = 46;
const BOTTOM = 24;
const SIDE = 70;
/** So far beyond its ends an axis can be taken hold of. */
const BEYOND = 12;

function Parallel({ comparison }: { comparison: Comparison }) {
  const [search, set] = useSearch();
  const [over, setOver] = useState("");
  const all = axesOf(comparison);
  const asked = search.getAll("axis").filter((name) => all.has(name));
  const usual = usualAxes(comparison);
  const names = asked.length ? asked : usual.length > 1 ? usual : [...all.keys()].slice(0, 6);
  const runs = comparison.runs.map((run) => run.run);
  const axes = names.map((name) => axisOf(name, runs.map((run) => all.get(name)?.values[run])));
  const brushes = brushesOf(search.getAll("brush"));
  const x = (at: number) => SIDE + (axes.length < 2 ? 0 : (at * (W - 2 * SIDE)) / (axes.length - 1));
  const y = (share: number) => H - BOTTOM - share * (H - TOP - BOTTOM);
  const valuesOf = (name: string): Values => all.get(name)?.values ?? {};
  const inside = (run: string) =>
    axes.every((axis) => {
      const brush = brushes.get(axis.name);
      if (!brush) return true;
      const place = axis.place(valuesOf(axis.name)[run]);
      return place !== null && place >= brush[0] - 1e-6 && place <= brush[1] + 1e-6;
    });
  const kept = runs.filter(inside);
  const last = axes[axes.length - 1];
  const brush = (name: string, ends: [number, number] | null) => {
    const next: Brushes = new Map(brushes);
    if (ends) next.set(name, ends);
    else next.delete(name);
    set({ brush: brushText(next) });
  };
  const line = (run: string): string =>
    axes.flatMap((axis, at) => {
      const place = axis.place(valuesOf(axis.name)[run]);
      return place === null ? [] : [`${x(at).toFixed(1)},${y(place).toFixed(1)}`];
    }).join(" ");
  const drawn = [...runs.filter((run) => run !== over), ...(runs.includes(over) ? [over] : [])];
  return (
    <>
      <div className="bar">
        <Axes all={all} names={names} set={(next) => set({ axis: next })} />
        <span className="faint" role="status">
          {kept.length} of {runs.length} runs{brushes.size ? "" : "; drag along an axis to narrow"}
        </span>
        {brushes.size > 0 && (
          <>
            <button type="button" onClick={() => set({ brush: null })}>
              All runs
            </button>
            {kept.length > 1 && (
              <button type="button" onClick={() => set({ run: kept, brush: null }, false)}>
                Compare only these
              </button>
            )}
          </>
        )}
      </div>
      <div className="panel">
        <svg viewBox={`0 0 ${W} ${H}`} className="parallel" role="group" aria-label={`parallel coordinates of ${runs.length} runs over ${names.length} axes`}>
          {drawn.map((run) => (
            <polyline
              key={run}
              points={line(run)}
              className={`${inside(run) ? "" : "out"} ${run === over ? "over" : ""}`}
              style={{ stroke: tint(last?.place(valuesOf(last.name)[run]) ?? null) }}
              onPointerEnter={() => setOver(run)}
              onPointerLeave={() => setOver("")}
              onClick={() => navigate(to.run(run))}
            >
              <title>{visible(run)}</title>
            </polyline>
          ))}
          {axes.map((axis, at) => (
            <ParallelAxis key={axis.name} axis={axis} x={x(at)} y={y} label={all.get(axis.name)?.label ?? axis.name} brush={brushes.get(axis.name)} onBrush={(ends) => brush(axis.name, ends)} />
          ))}
        </svg>
      </div>
      <Legend comparison={comparison} runs={kept} names={names} over={over} setOver={setOver} />
    </>
  );
}

function ParallelAxis({ axis, x, y, label, brush, onBrush }: { axis: Axis; x: number; y: (share: number) => number; label: string; brush: [number, number] | undefined; onBrush: (ends: [number, number] | null) => void }) {
  const [from, setFrom] = useState<number | null>(null);
  const [until, setUntil] = useState(0);
  const length = y(0) - y(1);
  const share = (event: PointerEvent<SVGRectElement>): number => {
    const box = event.currentTarget.getBoundingClientRect();
    const along = (1 - (event.clientY - box.top) / box.height) * (length + 2 * BEYOND) - BEYOND;
    return Math.min(1, Math.max(0, along / length));
  };
  const end = () => {
    if (from === null) return;
    const ends: [number, number] = [Math.min(from, until), Math.max(from, until)];
    onBrush(ends[1] - ends[0] < 0.015 ? null : ends);
    setFrom(null);
  };
  const shown = from !== null ? ([Math.min(from, until), Math.max(from, until)] as const) : brush;
  return (
    <g transform={`translate(${x} 0)`}>
      <text y={18} textAnchor="middle" className="axis-name">
        {visible(label).slice(0, 24)}
        <title>{visible(axis.name)}</title>
      </text>
      <line y1={y(0)} y2={y(1)} className="axis" />
      {axis.ticks.map((tick) => (
        <g key={tick.text} transform={`translate(0 ${y(tick.at)})`}>
          <line x1={-4} x2={0} className="axis" />
          <text x={-7} dy="0.32em" textAnchor="end">
            {tick.text}
          </text>
        </g>
      ))}
      {shown && <rect x={-8} width={16} y={y(shown[1])} height={Math.max(2, y(shown[0]) - y(shown[1]))} className="brush" />}
      <rect
        x={-14}
        width={28}
        y={y(1) - BEYOND}
        height={length + 2 * BEYOND}
        className="drag"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setFrom(share(event));
          setUntil(share(event));
        }}
        onPointerMove={(event) => from !== null && setUntil(share(event))}
        onPointerUp={end}
      />
    </g>
  );
}

/** Which axes, and in which order. */
function Axes({ all, names, set }: { all: ReturnType<typeof axesOf>; names: string[]; set: (names: string[]) => void }) {
  const others = [...all.keys()].filter((name) => !names.includes(name));
  return (
    <>
      {names.map((name) => (
        <span key={name} className="chip">
          {visible(all.get(name)?.label ?? name)}
          <button type="button" className="quiet" aria-label={`${name} to the left`} disabled={name === names[0]} onClick={() => set(moved(names, name))}>
            ←
          </button>
          <button type="button" className="quiet" aria-label={`without ${name}`} disabled={names.length < 3} onClick={() => set(names.filter((one) => one !== name))}>
            ×
          </button>
        </span>
      ))}
      {others.length > 0 && (
        <select aria-label="add an axis" value="" onChange={(event) => event.target.value && set([...names, event.target.value])}>
          <option value="">add an axis</option>
          {others.slice(0, 500).map((name) => (
            <option key={name} value={name}>
              {visible(name)}
            </option>
          ))}
        </select>
      )}
    </>
  );
}

function moved(names: string[], name: string): string[] {
  const at = names.indexOf(name);
  const next = names.filter((one) => one !== name);
  next.splice(Math.max(0, at - 1), 0, name);
  return next;
}

/** The runs of a picture as words: what a pointer shows is here for everybody. */
function Legend({ comparison, runs, names, over, setOver }: { comparison: Comparison; runs: string[]; names: string[]; over: string; setOver: (run: string) => void }) {
  const all = axesOf(comparison);
  return (
    <div className="scroll legend" tabIndex={0} role="region" aria-label="runs in the picture">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">run</th>
            {names.map((name) => (
              <th key={name} scope="col">
                {visible(all.get(name)?.label ?? name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {runs.slice(0, 200).map((run) => (
            <tr key={run} className={run === over ? "over" : ""} onPointerEnter={() => setOver(run)} onPointerLeave={() => setOver("")}>
              <td>
                <RunLink run={run} />
              </td>
              {names.map((name) => (
                <td key={name} className="num">
                  {named(all.get(name)?.values[run])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Scatter({ comparison }: { comparison: Comparison }) {
  const [search, set] = useSearch();
  const [over, setOver] = useState("");
  const all = axesOf(comparison);
  const usual = usualAxes(comparison);
  const keys = [...all.keys()];
  const pick = (name: string, fallback: string | undefined) => (all.has(search.get(name) ?? "") ? (search.get(name) as string) : (fallback ?? keys[0] ?? ""));
  const xName = pick("x", usual.find((name) => name.startsWith("params.")) ?? keys[0]);
  const yName = pick("y", usual.find((name) => name.startsWith("metrics.")) ?? keys[keys.length - 1]);
  const runs = comparison.runs.map((run) => run.run);
  const values = (name: string): Values => all.get(name)?.values ?? {};
  const xAxis = axisOf(xName, runs.map((run) => values(xName)[run]));
  const yAxis = axisOf(yName, runs.map((run) => values(yName)[run]));
  const x = (share: number) => 80 + share * (W - 110);
  const y = (share: number) => H - 44 - share * (H - 64);
  const points = runs.flatMap((run) => {
    const [px, py] = [xAxis.place(values(xName)[run]), yAxis.place(values(yName)[run])];
    return px === null || py === null ? [] : [{ run, x: x(px), y: y(py) }];
  });
  const row = comparison.metrics.find((one) => `metrics.${one.name}` === yName);
  const describe = (run: string) => `${run}: ${all.get(xName)?.label} ${named(values(xName)[run])}, ${all.get(yName)?.label} ${named(values(yName)[run])}`;
  return (
    <>
      <div className="bar">
        <Pick label="across" value={xName} all={keys} onChange={(name) => set({ x: name })} />
        <Pick label="up" value={yName} all={keys} onChange={(name) => set({ y: name })} />
        <span className="faint" role="status">
          {points.length < runs.length ? `${many(runs.length - points.length, "run has", "runs have")} no place here` : over ? describe(over) : many(points.length, "run")}
        </span>
      </div>
      <div className="panel">
        <svg viewBox={`0 0 ${W} ${H}`} className="scatter" role="group" aria-label={`${yName} over ${xName}`}>
          {xAxis.ticks.map((tick) => (
            <g key={tick.text} transform={`translate(${x(tick.at)} 0)`}>
              <line y1={y(0)} y2={y(1)} className="rule" />
              <text y={H - 26} textAnchor="middle">
                {tick.text}
              </text>
            </g>
          ))}
          {yAxis.ticks.map((tick) => (
            <g key={tick.text} transform={`translate(0 ${y(tick.at)})`}>
              <line x1={x(0)} x2={x(1)} className="rule" />
              <text x={72} dy="0.32em" textAnchor="end">
                {tick.text}
              </text>
            </g>
          ))}
          <text x={x(0.5)} y={H - 6} textAnchor="middle" className="axis-name">
            {visible(all.get(xName)?.label ?? "")}
          </text>
          <text transform={`translate(14 ${y(0.5)}) rotate(-90)`} textAnchor="middle" className="axis-name">
            {visible(all.get(yName)?.label ?? "")}
          </text>
          {points.map((point) => (
            <a
              key={point.run}
              href={to.run(point.run)}
              aria-label={describe(point.run)}
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey || event.shiftKey) return;
                event.preventDefault();
                navigate(to.run(point.run));
              }}
              onPointerEnter={() => setOver(point.run)}
              onPointerLeave={() => setOver("")}
              onFocus={() => setOver(point.run)}
              onBlur={() => setOver("")}
            >
              <circle cx={point.x} cy={point.y} r={row?.best.includes(point.run) ? 7 : 5} className={row?.best.includes(point.run) ? "best-point" : ""} />
              <title>{visible(describe(point.run))}</title>
            </a>
          ))}
        </svg>
      </div>
      <Legend comparison={comparison} runs={runs} names={[xName, yName]} over={over} setOver={setOver} />
    </>
  );
}

function Pick({ label, value, all, onChange }: { label: string; value: string; all: string[]; onChange: (name: string) => void }) {
  return (
    <label className="inline">
      {label}
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {all.map((name) => (
          <option key={name} value={name}>
            {visible(name)}
          </option>
        ))}
      </select>
    </label>
  );
}
