/* Where the boxes of a graph lie, and how the links run between them: layered from left to right. */

import dagre from "@dagrejs/dagre";
import { layered } from "./layers";

export const WIDTH = 210;
export const HEIGHT = 46;

/** What is to be laid out: keys of boxes, and links by places in them. */
export interface Shape {
  keys: string[];
  links: [number, number][];
}

export interface Point {
  x: number;
  y: number;
}

/** The upper left corner of each box, and the points that each link goes through, in the order of the shape. */
export interface Layout {
  places: Point[];
  routes: Point[][];
}

/** Boxes up to which the best places are looked for: that takes half a second for a hundred, and seconds for three hundred. */
const BEST = 120;

/** Lay out a graph; circles, which groups can make, are drawn with a link that goes back. */
export function lay(shape: Shape): Layout {
  return shape.keys.length > BEST ? layered(shape, { width: WIDTH, height: HEIGHT, across: 90, between: 12 }) : best(shape);
}

function best(shape: Shape): Layout {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 18, edgesep: 16, ranksep: 70 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (let i = 0; i < shape.keys.length; i++) graph.setNode(String(i), { width: WIDTH, height: HEIGHT });
  for (const [from, to] of shape.links) graph.setEdge(String(from), String(to));
  dagre.layout(graph);
  const places = shape.keys.map((_, i) => {
    const { x, y } = graph.node(String(i)) as Point;
    return { x: x - WIDTH / 2, y: y - HEIGHT / 2 };
  });
  const routes = shape.links.map(([from, to]) => (graph.edge(String(from), String(to)) as { points?: Point[] } | undefined)?.points ?? []);
  return { places, routes };
}

/** A route as a curve from the right side of one box to the left side of the other, round at the points: where it begins, then
 * of each piece two points that it bends to, and its end; x and y in turn.
 */
export function curve(from: Point, to: Point, route: readonly Point[]): number[] {
  const inner = route.slice(1, -1);
  const all = [from, ...inner, to];
  const points = [from.x, from.y];
  for (let i = 1; i < all.length; i++) {
    const [a, b] = [all[i - 1] as Point, all[i] as Point];
    const half = (a.x + b.x) / 2;
    points.push(half, a.y, half, b.y, b.x, b.y);
  }
  return points;
}
