import { expect, test } from "vitest";
import type { Step, StepStatus } from "../api";
import { bars, decisive, ticks } from "./timeline";

const step = (node: number, status: StepStatus, started: number | null, seconds: number | null): Step => ({
  node, id: `s${node}`, name: `s${node}`, step: `m:s${node}`, role: "", status, decision: "", reasons: [], key: null, started, seconds,
  cpu: null, memory: null, inputs: [], outputs: [], metrics: {}, made_by: "", notes: [], error: null,
});
const at = 1000;

test("a step is ready when the last that it needs has ended", () => {
  const steps = [step(0, "succeeded", 1000, 2), step(1, "succeeded", 1000, 5), step(2, "succeeded", 1006, 1)];
  const made = bars(steps, [[0, 2], [1, 2]], at, 2000);
  expect(made[2]).toMatchObject({ node: 2, ready: 5, start: 6, end: 7, after: 1 });
});

test("what was reused takes no time, what runs takes until now, what did not run is left out", () => {
  const steps = [step(0, "cached", null, 99), step(1, "running", 1001, null), step(2, "blocked", null, null)];
  const made = bars(steps, [[0, 1]], at, 1011);
  expect(made.map((bar) => [bar.node, bar.start, bar.end, bar.reused])).toEqual([[0, 0, 0, true], [1, 1, 11, false]]);
});

test("steps that grew come before what needs them, though their numbers are larger; a circle ends", () => {
  const steps = [step(0, "succeeded", 1004, 1), step(1, "succeeded", 1001, 2)];
  expect(bars(steps, [[1, 0]], at, 2000).find((bar) => bar.node === 0)).toMatchObject({ ready: 3, after: 1 });
  expect(bars(steps, [[1, 0], [0, 1]], at, 2000).length).toBe(2);
});

test("the decisive steps are those that the last one waited for", () => {
  const steps = [step(0, "succeeded", 1000, 5), step(1, "succeeded", 1000, 1), step(2, "succeeded", 1005, 3), step(3, "succeeded", 1001, 1)];
  expect([...decisive(bars(steps, [[0, 2], [1, 2], [1, 3]], at, 2000))].sort()).toEqual([0, 2]);
});

test("places of a scale are round and few", () => {
  expect(ticks(10, 5)).toEqual([0, 2, 4, 6, 8, 10]);
  expect(ticks(0.5, 5)).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5].map((one) => expect.closeTo(one, 9)));
  expect(ticks(7200, 4)).toEqual([0, 1800, 3600, 5400, 7200]);
  expect(ticks(0, 5)).toEqual([0]);
  expect(ticks(86400 * 1000, 6).length).toBeLessThanOrEqual(7);
});

test("of what runs or failed without a start, the start is when it could begin", () => {
  const steps = [step(0, "succeeded", 1000, 4), step(1, "running", null, null), step(2, "failed", null, 1)];
  const made = bars(steps, [[0, 1], [0, 2]], at, 1010);
  expect(made.map((bar) => [bar.node, bar.start, bar.end, bar.guessed])).toEqual([[0, 0, 4, false], [2, 4, 5, true], [1, 4, 10, true]]);
});
