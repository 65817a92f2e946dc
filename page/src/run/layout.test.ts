import { expect, test } from "vitest";
import { curve, HEIGHT, lay, type Point, type Shape, WIDTH } from "./layout";

const layers = (wide: number, deep: number): Shape => {
  const keys = Array.from({ length: wide * deep }, (_, i) => `n${i}`);
  const links = keys.flatMap((_, i): [number, number][] => (i < wide ? [] : [[i - wide, i], [i - wide + ((i * 7) % wide) - (i % wide), i]].filter(([from]) => (from as number) >= 0) as [number, number][]));
  return { keys, links };
};

/** How many pairs of boxes lie on each other. */
function meetings(places: readonly Point[]): number {
  let count = 0;
  for (const [i, a] of places.entries())
    for (const b of places.slice(i + 1)) if (Math.abs(a.x - b.x) < WIDTH && Math.abs(a.y - b.y) < HEIGHT - 0.01) count++;
  return count;
}

test("what needs another lies to the right of it", () => {
  const { places } = lay({ keys: ["a", "b", "c"], links: [[0, 1], [1, 2], [0, 2]] });
  expect(places.map((place) => place.x)).toEqual([...places.map((place) => place.x)].sort((a, b) => a - b));
  expect((places[1]?.x ?? 0) - (places[0]?.x ?? 0)).toBeGreaterThan(WIDTH);
});

test("no two boxes lie on each other, also in a graph of a thousand", () => {
  const { places } = lay(layers(40, 25));
  expect(places.length).toBe(1000);
  expect(meetings(places)).toBe(0);
});

test("links of a large graph go to the right, its tall layers are no higher than forty boxes", () => {
  const shape = layers(333, 3);
  const { places } = lay(shape);
  expect(shape.links.every(([from, to]) => (places[from]?.x ?? 0) < (places[to]?.x ?? 0))).toBe(true);
  const ys = places.map((place) => place.y);
  expect(Math.max(...ys) - Math.min(...ys)).toBeLessThan(41 * (HEIGHT + 12));
  expect(meetings(places)).toBe(0);
});

test("a large graph with circles is laid out whole", () => {
  const shape = layers(40, 25);
  const { places } = lay({ ...shape, links: [...shape.links, [999, 0], [500, 499], [499, 500]] });
  expect(places.filter((place) => Number.isFinite(place.x) && Number.isFinite(place.y)).length).toBe(1000);
});

test("a circle, which groups can make, is laid out", () => {
  const { places, routes } = lay({ keys: ["a", "b"], links: [[0, 1], [1, 0]] });
  expect(places.length).toBe(2);
  expect(routes.every((route) => route.length > 0)).toBe(true);
});

test("a curve begins and ends at the boxes", () => {
  const points = curve({ x: 0, y: 5 }, { x: 100, y: 50 }, [{ x: 1, y: 1 }, { x: 50, y: 20 }, { x: 99, y: 9 }]);
  expect(points.slice(0, 2)).toEqual([0, 5]);
  expect(points.slice(-2)).toEqual([100, 50]);
  expect(points.length).toBe(2 + 2 * 6);
});
