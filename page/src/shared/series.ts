/* Curves as numbers. Pure functions. */

export interface PlotSeries {
  label: string;
  xs: ArrayLike<number>;
  ys: ArrayLike<number>; // NaN is a gap
  series?: number; // which of the colours; else its place
  thick?: boolean;
}

/** What to divide numbers by before they are drawn: 1, but for the very large and very small a power of ten, since the
 * difference of 1e308 and -1e308 is no number, and a plot finds no marks between numbers of 1e-300. */
export function unit(values: Iterable<number>): number {
  let size = 0;
  for (const value of values) if (Number.isFinite(value)) size = Math.max(size, Math.abs(value));
  return size === 0 || (size > 1e-12 && size < 1e15) ? 1 : 10 ** Math.max(-300, Math.floor(Math.log10(size)));
}

/** What several curves are over one axis: all places of x in order, and each curve's value there, null where it has none. */
export function joined(series: PlotSeries[]): [number[], ...(number | null)[][]] {
  const all = new Set<number>();
  for (const one of series) for (let at = 0; at < one.xs.length; at += 1) all.add(one.xs[at] as number);
  const xs = [...all].filter(Number.isFinite).sort((a, b) => a - b);
  const place = new Map(xs.map((x, at) => [x, at]));
  const columns = series.map((one) => {
    const column = new Array<number | null | undefined>(xs.length).fill(undefined);
    for (let at = 0; at < one.xs.length; at += 1) {
      const where = place.get(one.xs[at] as number);
      const value = one.ys[at] as number;
      // Undefined is "no point here", which is drawn through; null is a point that is not a number: a gap.
      if (where !== undefined) column[where] = Number.isFinite(value) ? value : null;
    }
    return column as (number | null)[];
  });
  return [xs, ...columns];
}

/** The mean that forgets: 0 is the curve as it is, near 1 is very smooth. Corrected at the start; gaps stay gaps. */
export function smoothed(values: ArrayLike<number>, weight: number): number[] {
  if (weight <= 0) return Array.from(values);
  let mean = 0;
  let mass = 0;
  return Array.from(values, (value) => {
    if (!Number.isFinite(value)) return Number.NaN;
    mean = mean * weight + value * (1 - weight);
    mass = mass * weight + (1 - weight);
    return mean / mass;
  });
}
