import { describe, expect, it } from "vitest";
import type { Comparison } from "../api";
import { axisOf, brushesOf, brushText, steps, usualAxes } from "./scales";

describe("an axis", () => {
  it("of numbers goes from the least to the most", () => {
    const axis = axisOf("metrics.auc", [0.5, 0.75, 1, null, "NaN"]);
    expect([axis.place(0.5), axis.place(0.75), axis.place(1)]).toEqual([0, 0.5, 1]);
    expect([axis.place(null), axis.place("NaN"), axis.place("Infinity")]).toEqual([null, null, null]);
    expect(axis.ticks.map((tick) => tick.text)).toEqual(["0.5", "0.6", "0.7", "0.8", "0.9", "1"]);
  });
  it("of the largest numbers has places for them", () => {
    const axis = axisOf("metrics.huge", [-1e308, 0, 1e308]);
    expect([axis.place(-1e308), axis.place(0), axis.place(1e308)]).toEqual([0, 0.5, 1]);
    expect(axis.ticks.map((tick) => tick.text)).toEqual(["-1e308", "-5e307", "0", "5e307", "1e308"]);
  });
  it("of one number has it in the middle", () => {
    expect(axisOf("metrics.auc", [3, 3]).place(3)).toBe(0.5);
  });
  it("of powers is logarithmic, and few values are its marks", () => {
    const axis = axisOf("params.lr", [0.001, 0.01, 0.1]);
    expect(axis.place(0.01)).toBeCloseTo(0.5);
    expect(axis.ticks.map((tick) => tick.text)).toEqual(["0.001", "0.01", "0.1"]);
  });
  it("of words, or of both, has a place for each", () => {
    const axis = axisOf("params.model", ["trees", "linear", 3, true]);
    expect(axis.words).toBe(true);
    expect(axis.ticks.map((tick) => tick.text)).toEqual(["3", "linear", "trees", "true"]);
    expect(axis.place("nothing known")).toBeLessThan(0);
  });
  it("of nothing does not fail", () => {
    expect(axisOf("metrics.auc", [null, undefined]).place(1)).not.toBeNaN();
  });
});

it("round numbers between two", () => {
  expect(steps(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(steps(-3, 17)).toEqual([0, 5, 10, 15]);
});

it("parts of axes go into the address and back, whatever their names", () => {
  const brushes = new Map<string, [number, number]>([["params.a:b", [0.25, 0.5]]]);
  expect(brushesOf(brushText(brushes))).toEqual(brushes);
  expect(brushesOf(["x:y:z", ""]).size).toBe(0);
});

it("usual axes are parameters that vary, then metrics of which the better way is known", () => {
  const row = (name: string, differs: boolean) => ({ name, differs, values: {}, deltas: {} });
  const comparison = {
    params: [row("depth", true), row("seed", false)],
    metrics: [
      { ...row("rows", true), direction: "", best: [] },
      { ...row("auc", true), direction: "higher", best: [] },
    ],
  } as unknown as Comparison;
  expect(usualAxes(comparison)).toEqual(["params.depth", "metrics.auc"]);
});
