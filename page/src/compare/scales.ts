/* Places on an axis, for numbers and for words. Pure functions. */
import type { Comparison, Json, Num } from "../api";
import { num, plain } from "../shared/format";
import { unit } from "../shared/series";

/** An axis: where a value stands between 0 and 1, or null where it has no place; and what is written along it. */
export interface Axis {
  name: string;
  words: boolean;
  place: (value: Json | Num | null | undefined) => number | null;
  ticks: { at: number; text: string }[];
}

const asNumber = (value: Json | Num | null | undefined): number => {
  if (typeof value === "number") return value;
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return Number(value);
  return Number.NaN;
};

/** The axis of some values: of numbers if each value that there is is one, else of words in their order. */
export function axisOf(name: string, values: (Json | Num | null | undefined)[]): Axis {
  const there = values.filter((value) => value !== null && value !== undefined);
  const numbers = there.map(asNumber).filter(Number.isFinite);
  const odd = there.some((value) => !Number.isFinite(asNumber(value)) && !["NaN", "Infinity", "-Infinity"].includes(String(value)));
  return odd || (there.length > 0 && numbers.length === 0) ? wordAxis(name, there) : numberAxis(name, numbers);
}

function numberAxis(name: string, values: number[]): Axis {
  const one = unit(values);
  const numbers = values.map((value) => value / one);
  const least = numbers.length ? Math.min(...numbers) : 0;
  const most = numbers.length ? Math.max(...numbers) : 1;
  const span = most - least;
  // Powers, as learning rates are: the logarithm tells them apart.
  const logarithmic = least > 0 && most / least >= (name.startsWith("params.") ? 10 : 1000);
  const at = (value: number): number => {
    if (span === 0) return 0.5;
    return logarithmic ? Math.log(value / least) / Math.log(most / least) : (value - least) / span;
  };
  const own = [...new Set(numbers)].sort((a, b) => a - b);
  // Few values are their own marks: nobody ran a depth of 4.5.
  const marks = own.length > 0 && own.length <= 6 && name.startsWith("params.") ? own : span === 0 ? [least] : logarithmic ? powers(least, most) : steps(least, most);
  return {
    name,
    words: false,
    place: (value) => {
      const number = asNumber(value);
      return Number.isFinite(number) ? at(number / one) : null;
    },
    ticks: marks.map((mark) => ({ at: at(mark), text: num(mark * one) })),
  };
}

/** Round numbers between two, some five of them. */
export function steps(least: number, most: number): number[] {
  const rough = (most - least) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10) * power;
  const found: number[] = [];
  for (let at = Math.ceil(least / step - 1e-9); at * step <= most + step * 1e-9 && found.length < 12; at += 1) found.push(Number((at * step).toPrecision(12)));
  return found;
}

function powers(least: number, most: number): number[] {
  const found: number[] = [];
  for (let power = Math.ceil(Math.log10(least) - 1e-9); 10 ** power <= most * (1 + 1e-9) && found.length < 12; power += 1) found.push(Number((10 ** power).toPrecision(6)));
  return found.length > 1 ? found : [least, most];
}

function wordAxis(name: string, values: (Json | Num)[]): Axis {
  const words = [...new Set(values.map((value) => plain(value)))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const at = (word: string): number => (words.length < 2 ? 0.5 : words.indexOf(word) / (words.length - 1));
  return {
    name,
    words: true,
    place: (value) => (value === null || value === undefined ? null : at(plain(value))),
    ticks: words.slice(0, 14).map((word) => ({ at: at(word), text: word.length > 18 ? `${word.slice(0, 17)}…` : word })),
  };
}

/** Everything that can be an axis: "params.NAME" and "metrics.NAME", of what varies first. */
export function axesOf(comparison: Comparison): Map<string, { label: string; values: Record<string, Json | Num | null>; differs: boolean }> {
  const found = new Map<string, { label: string; values: Record<string, Json | Num | null>; differs: boolean }>();
  for (const row of comparison.params) found.set(`params.${row.name}`, { label: row.name, values: row.values, differs: row.differs });
  for (const row of comparison.metrics) found.set(`metrics.${row.name}`, { label: row.name, values: row.values, differs: row.differs });
  return found;
}

/** Axes for somebody who chose none: up to five parameters that vary, then up to three metrics. */
export function usualAxes(comparison: Comparison): string[] {
  const params = comparison.params.filter((row) => row.differs).slice(0, 5).map((row) => `params.${row.name}`);
  const metrics = comparison.metrics.filter((row) => row.differs);
  // Those of which somebody said which way is better are what a run is judged by.
  const said = metrics.some((row) => row.direction) ? metrics.filter((row) => row.direction) : metrics.slice(0, 2);
  return [...params, ...said.slice(0, 3).map((row) => `metrics.${row.name}`)];
}

/** Parts of axes that are wanted, as a text for the address: "params.depth:0.2:0.7", and back. */
export type Brushes = Map<string, [number, number]>;
export const brushText = (brushes: Brushes): string[] => [...brushes].map(([name, [low, high]]) => `${low.toFixed(3)}:${high.toFixed(3)}:${name}`);
export function brushesOf(texts: string[]): Brushes {
  const found: Brushes = new Map();
  for (const text of texts) {
    const [low, high, ...name] = text.split(":");
    const ends: [number, number] = [Number(low), Number(high)];
    if (ends.every(Number.isFinite)) found.set(name.join(":"), ends);
  }
  return found;
}
