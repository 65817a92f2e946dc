import { expect, test } from "vitest";
import type { Curve } from "../api";
import { byName, lines, undrawable } from "./curves";

const curve = (id: string, steps: number[], values: Curve["values"], name = "loss"): Curve => ({
  run: "r1", node: 0, id, name, count: steps.length, steps, values, times: steps.map((one) => 100 + one), low: [], high: [],
});

test("names are in order, each with all its curves", () => {
  const found = byName([curve("a", [], [], "z"), curve("b", [], [], "a"), curve("c", [], [], "z")]);
  expect([...found].map(([name, of]) => [name, of.length])).toEqual([["a", 1], ["z", 2]]);
});

test("by time, places count from the first point of all curves", () => {
  const made = lines([curve("a", [5, 7], [1, 2]), curve("b", [6], [3])], "time", false);
  expect(made.map((one) => [one.label, Array.from(one.xs), Array.from(one.ys)])).toEqual([["a", [0, 2], [1, 2]], ["b", [1], [3]]]);
});

test("values that are not finite are gaps, and are counted", () => {
  const odd = curve("a", [0, 1, 2, 3], [1, "NaN", "-Infinity", -1]);
  expect(Array.from(lines([odd], "step", true)[0]?.ys ?? [])).toEqual([1, Number.NaN, Number.NEGATIVE_INFINITY, -1]);
  expect([undrawable([odd], false), undrawable([odd], true)]).toEqual([2, 3]);
});

test("of a thinned curve the least and the greatest are drawn, so that a spike stays", () => {
  const thin: Curve = { ...curve("a", [0, 10, 20], [1, 2, 3]), count: 21, low: [1, 0, 3], high: [1, 99, 3] };
  const drawn = lines([thin], "step", true)[0];
  expect([Array.from(drawn?.xs ?? []), Array.from(drawn?.ys ?? [])]).toEqual([[0, 10, 15, 20], [1, 0, 99, 3]]);
  expect(Array.from(lines([thin], "step", false)[0]?.ys ?? [])).toEqual([1, 2, 3]);
});
