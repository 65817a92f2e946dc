import { expect, it } from "vitest";
import type { RunList, RunSummary } from "../api";
import { located, possible, range, read, usual, written } from "./columns";

const run = (params: RunSummary["params"], metrics: RunSummary["metrics"] = {}): RunSummary =>
  ({ run: "r1", pipeline: "p", status: "succeeded", params, metrics, tags: [] }) as unknown as RunSummary;

it("rows of open sweeps are between the others", () => {
  const places: [number, number][] = [
    [1, 2],
    [3, 1],
  ];
  const rows = [0, 1, 2, 3, 4, 5, 6, 7].map((index) => located(index, places));
  expect(rows.map((row) => [row.base, row.point])).toEqual([
    [0, -1],
    [1, -1],
    [1, 0],
    [1, 1],
    [2, -1],
    [3, -1],
    [3, 0],
    [4, -1],
  ]);
});

it("columns go into the address and back, whatever their names", () => {
  const columns = ["status", "params.a,b", "metrics.größe %"];
  expect(read(written(columns))).toEqual(columns);
  expect(read("%E0%A4%A,ok")).toEqual(["ok"]);
});

it("parameters that are the same in all runs are not columns of themselves", () => {
  const list = { runs: [run({ depth: 1, seed: 0 }), run({ depth: 2, seed: 0 })], params: ["depth", "seed"], metrics: ["auc"], tags: [] } as unknown as RunList;
  expect(usual(list)).toEqual(["status", "started", "seconds", "params.depth", "metrics.auc"]);
  expect(possible(list)).toContain("params.seed");
});

it("a sweep's metric is from the least to the most of its finite values", () => {
  expect(range([run({}, { auc: 0.9 }), run({}, { auc: "NaN" }), run({}, { auc: 0.7 }), run({})], "auc")).toEqual([0.7, 0.9]);
  expect(range([run({})], "auc")).toBeNull();
});
