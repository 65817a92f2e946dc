/* Which columns the list of runs shows. Pure functions.
 *
 * A column's name is "status", "started", ..., "params.NAME" or "metrics.NAME": what the server takes as an order.
 */
import type { RunList, RunSummary } from "../api";

export const FIXED = ["status", "pipeline", "started", "seconds", "steps", "tags", "commit"] as const;

/** All columns that there can be for what was found. */
export const possible = (list: Pick<RunList, "params" | "metrics"> | undefined): string[] => [
  ...FIXED,
  ...(list?.params ?? []).map((name) => `params.${name}`),
  ...(list?.metrics ?? []).map((name) => `metrics.${name}`),
];

/** What is shown to somebody who chose nothing: the fixed ones, parameters that vary, the first metrics, and tags. */
export function usual(list: RunList | undefined): string[] {
  const runs = (list?.runs ?? []).flatMap((run) => [run, ...(run.points ?? [])]);
  const vary = (list?.params ?? []).filter((name) => new Set(runs.map((run) => JSON.stringify(run.params[name]))).size > 1);
  const pipelines = new Set(runs.map((run) => run.pipeline)).size;
  return [
    "status",
    ...(pipelines === 1 ? [] : ["pipeline"]),
    "started",
    "seconds",
    ...vary.slice(0, 4).map((name) => `params.${name}`),
    ...(list?.metrics ?? []).slice(0, 4).map((name) => `metrics.${name}`),
    ...(list?.tags.length ? ["tags"] : []),
  ];
}

/** Columns as a text for the address and the browser, and back. Names may hold any sign. */
export const written = (columns: string[]): string => columns.map(encodeURIComponent).join(",");
export const read = (text: string): string[] =>
  text
    .split(",")
    .filter(Boolean)
    .flatMap((one) => {
      try {
        return [decodeURIComponent(one)];
      } catch {
        return [];
      }
    });

/** A row of the list: a run, the head of a sweep, or a point of a sweep that is open. */
export interface Row {
  run: RunSummary;
  kind: "run" | "group" | "point";
  open: boolean;
}

/** Where the rows of open sweeps stand: `places` are [index of the sweep's row, number of points], in order. */
export function located(index: number, places: [number, number][]): { base: number; point: number } {
  let shift = 0;
  for (const [base, points] of places) {
    const at = base + shift;
    if (index <= at) break;
    if (index <= at + points) return { base, point: index - at - 1 };
    shift += points;
  }
  return { base: index - shift, point: -1 };
}

/** The best and the worst of a metric in a sweep, as [least, most]; null where no point has it. */
export function range(points: RunSummary[], name: string): [number, number] | null {
  const values = points.map((point) => Number(point.metrics[name] ?? Number.NaN)).filter(Number.isFinite);
  return values.length ? [Math.min(...values), Math.max(...values)] : null;
}
