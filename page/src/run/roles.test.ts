import { expect, test } from "vitest";
import { facts } from "./roles";

test("what a role found is told as words, without the directions that are shown elsewhere", () => {
  expect(facts('{"role": "trainer", "rows": 12, "params": {"depth": 3}, "directions": {"auc": "higher"}}')).toEqual([
    ["role", "trainer"],
    ["rows", "12"],
    ["params", '{"depth":3}'],
  ]);
});

test("what is no object says nothing", () => {
  expect([facts("{"), facts("[1]"), facts('"x"'), facts("null")]).toEqual([[], [], [], []]);
});
