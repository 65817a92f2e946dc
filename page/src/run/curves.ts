/* Curves of numbers, from what the server gives to what a plot takes. Pure. */

import type { Curve } from "../api";
import { number } from "../shared/format";
import type { PlotSeries } from "../shared/series";

export type Across = "step" | "time";

/** Curves by their name, names in order, each with its curves in the order of nodes. */
export function byName(curves: readonly Curve[]): Map<string, Curve[]> {
  const found = new Map<string, Curve[]>();
  for (const curve of curves) {
    const same = found.get(curve.name);
    if (same) same.push(curve);
    else found.set(curve.name, [curve]);
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What a plot draws of the curves of one name, over steps or over seconds since the first point of all of them.
 *
 * Of a curve that was thinned, the values are means of many points. With `extremes` its least and greatest are drawn
 * instead, one after the other, as a drawing of all its points would look: a spike stays to be seen.
 */
export function lines(curves: readonly Curve[], across: Across, extremes: boolean): PlotSeries[] {
  const origin = Math.min(...curves.map((curve) => curve.times[0] ?? Number.POSITIVE_INFINITY));
  return curves.map((curve) => {
    const xs = across === "step" ? curve.steps : curve.times.map((time) => time - origin);
    const ys = curve.values.map(number);
    return { label: curve.id, ...(extremes && curve.count > ys.length ? doubled(curve, xs, ys) : { xs, ys }) };
  });
}

function doubled(curve: Curve, xs: readonly number[], ys: readonly number[]): { xs: number[]; ys: number[] } {
  const out = { xs: [] as number[], ys: [] as number[] };
  for (const [i, y] of ys.entries()) {
    const [x, next] = [xs[i] as number, xs[i + 1]];
    const [low, high] = [number(curve.low[i]), number(curve.high[i])];
    if (!(low < high) || next === undefined || next <= x) {
      out.xs.push(x);
      out.ys.push(y);
      continue;
    }
    out.xs.push(x, (x + next) / 2);
    out.ys.push(low, high);
  }
  return out;
}

/** How many values of the curves cannot be drawn: those that are not finite, on a logarithmic scale also those not above zero. */
export function undrawable(curves: readonly Curve[], log: boolean): number {
  const bad = (value: number) => !Number.isFinite(value) || (log && value <= 0);
  return curves.reduce((count, curve) => count + curve.values.filter((value) => bad(number(value))).length, 0);
}
