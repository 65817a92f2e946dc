import { expect, it } from "vitest";
import { diffLines } from "./diff";
import { joined, smoothed, unit } from "./series";
import { pathParts, to } from "./router";
import { fitting, turned } from "./table";
import { query } from "../client";

it("addresses go there and back, whatever the names", () => {
  for (const name of ["flights.csv", "a/b?c#d", "..", "100 %", "<b>&"]) expect(pathParts(to.data(name))).toEqual(["data", name]);
  expect(pathParts("/runs/%E0%A4%A")).toEqual(["runs", "%E0%A4%A"]);
  expect(query({ q: "a b", run: ["r1", "r2"], none: undefined, empty: "" })).toBe("?q=a+b&run=r1&run=r2");
});

it("lines of a difference are what they are", () => {
  const kinds = diffLines("--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n same\n").map((line) => line.kind);
  expect(kinds).toEqual(["file", "file", "place", "removed", "added", "same"]);
});

it("curves over one axis: no point is drawn through, what is not a number is a gap", () => {
  const [xs, one, two] = joined([
    { label: "a", xs: [0, 2], ys: [1, Number.NaN] },
    { label: "b", xs: [1, 2], ys: [5, 6] },
  ]);
  expect(xs).toEqual([0, 1, 2]);
  expect(one).toEqual([1, undefined, null]);
  expect(two).toEqual([undefined, 5, 6]);
});

it("numbers at the ends of what there is are drawn as some of our size", () => {
  for (const values of [[1e308, -1e308], [Number.MAX_VALUE], [5e-324, 0], [1e-20, Number.NaN]]) {
    const drawn = values.map((value) => value / unit(values)).filter((value) => value && !Number.isNaN(value));
    for (const value of drawn) expect(Math.abs(value) >= 1e-24 && Math.abs(value) < 10).toBe(true);
    expect(drawn.length).toBeGreaterThan(0);
  }
  expect([unit([]), unit([0]), unit([0.001, 12]), unit([Number.POSITIVE_INFINITY, 3])]).toEqual([1, 1, 1, 1]);
});

it("smoothing keeps a constant, the start and the gaps", () => {
  expect(smoothed([2, 2, 2], 0.9).map((value) => Number(value.toFixed(9)))).toEqual([2, 2, 2]);
  const values = smoothed([1, Number.NaN, 3], 0.5);
  expect(values[0]).toBe(1);
  expect(values[1]).toBeNaN();
  expect(values[2]).toBeGreaterThan(1);
});

it("a head is pressed for one order, then the other", () => {
  expect([turned("", "auc"), turned("-auc", "auc"), turned("auc", "auc"), turned("-auc", "name", false)]).toEqual(["-auc", "auc", "-auc", "name"]);
});

it("columns fit their texts within bounds", () => {
  expect(fitting("a", ["x"])).toBe("79px");
  expect(fitting("a", ["x".repeat(900)])).toBe(fitting("a", ["x".repeat(26)]));
});
