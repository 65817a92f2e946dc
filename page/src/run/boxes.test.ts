import { expect, test } from "vitest";
import type { Source, Step, StepStatus } from "../api";
import { around, CROWDED, drawing, matching, neighbour, stem } from "./boxes";

const step = (node: number, id: string, status: StepStatus = "succeeded"): Step => ({
  node, id, name: stem(id), step: `m:${stem(id)}`, role: "", status, decision: "", reasons: [{ kind: "x", text: "changed" }], key: null, started: 1,
  seconds: 2, cpu: null, memory: null, inputs: [], outputs: [], metrics: {}, made_by: "", notes: [], error: null,
});
const source: Source = { name: "data", uri: "data.csv", digest: "", size: 1 };
const wide = (count: number) => ({
  steps: [step(0, "load"), ...Array.from({ length: count }, (_, i) => step(i + 1, `train[${i + 1}]`, i === 7 ? "failed" : "succeeded")), step(count + 1, "best")],
  edges: Array.from({ length: count }, (_, i) => [[0, i + 1], [i + 1, count + 1]] as [number, number][]).flat(),
  sources: [source],
  reads: [[0, 0]] as [number, number][],
});
const all = { open: new Set<string>(), only: null, sources: true };

test("a small graph has a box for each step and source", () => {
  const made = drawing(wide(3), all);
  expect(made.boxes.map((box) => box.key)).toEqual(["n0", "n1", "n2", "n3", "n4", "s0"]);
  expect(made.links).toContainEqual({ from: "s0", to: "n0" });
});

test("in a large graph calls of one step are one box, which looks as what needs most attention", () => {
  const made = drawing(wide(CROWDED), all);
  const group = made.boxes.find((box) => box.kind === "group");
  expect(made.boxes.length).toBe(4);
  expect(group).toMatchObject({ key: "g:train", name: "train", status: "failed", counts: { succeeded: CROWDED - 1, failed: 1 }, seconds: 2 * CROWDED });
  expect(made.links.length).toBe(3);
});

test("an open group shows its calls", () => {
  expect(drawing(wide(CROWDED), { ...all, open: new Set(["train"]) }).boxes.length).toBe(CROWDED + 3);
  expect(drawing(wide(CROWDED), { ...all, open: new Set(["*"]) }).boxes.length).toBe(CROWDED + 3);
});

test("names that could be keys of others do not meet", () => {
  const odd = { steps: [step(0, "g:x"), step(1, "s0"), step(2, "__proto__")], edges: [[0, 1]] as [number, number][], sources: [source], reads: [] };
  expect(drawing(odd, all).boxes.map((box) => box.key)).toEqual(["n0", "n1", "n2"]);
});

test("a neighbourhood goes up and down, not sideways", () => {
  const run = wide(4);
  expect([...around(run.edges, [2], 9)].sort()).toEqual([0, 2, 5]);
  expect([...around([[0, 1], [1, 2], [2, 3]], [0], 2)].sort()).toEqual([0, 1, 2]);
});

test("a search finds ids and statuses", () => {
  const run = wide(12);
  expect(matching(run.steps, "TRAIN[1").size).toBe(4);
  expect([...matching(run.steps, "failed")]).toEqual([8]);
  expect(matching(run.steps, " ").size).toBe(0);
});

test("arrow keys go along links and between neighbours", () => {
  const where = new Map([["a", { x: 0, y: 0 }], ["b", { x: 200, y: 0 }], ["c", { x: 200, y: 60 }], ["d", { x: 200, y: 120 }]]);
  const links = [{ from: "a", to: "c" }, { from: "a", to: "b" }];
  expect(neighbour("a", "right", links, where)).toBe("b");
  expect(neighbour("b", "down", links, where)).toBe("c");
  expect(neighbour("c", "left", links, where)).toBe("a");
  expect(neighbour("a", "up", links, where)).toBeNull();
});

test("ten thousand steps are grouped at once", () => {
  const run = wide(10_000);
  const started = performance.now();
  drawing(run, all);
  around(run.edges, [5], 3);
  expect(performance.now() - started).toBeLessThan(1000);
});
