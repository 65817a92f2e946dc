/* A quick layout for large graphs: layers from left to right, tall layers in several columns. Its time grows with the size
 * of the graph, where libraries that look for the best places take seconds for a thousand boxes.
 */

import type { Layout, Point, Shape } from "./layout";

/** Rows of a column; a layer of more boxes has several columns. */
const ROWS = 40;
/** Passes over the layers that bring boxes close to those that they are linked with. */
const SWEEPS = 6;

export interface Spacing {
  width: number;
  height: number;
  across: number;
  between: number;
}

/** Lay out a graph of any size. Links that would close a circle go back. */
export function layered(shape: Shape, spacing: Spacing): Layout {
  const { before, after } = neighbours(shape);
  const layers = sorted(ranks(shape.keys.length, before, after));
  const order = ordered(layers, before, after);
  const places: Point[] = new Array(shape.keys.length);
  let x = 0;
  for (const layer of order) {
    const columns = Math.ceil(layer.length / ROWS);
    const rows = Math.ceil(layer.length / columns);
    const step = spacing.height + spacing.between;
    const wanted = columns === 1 ? spread(layer, before, places, step) : null;
    for (const [i, node] of layer.entries()) {
      const [column, row] = [Math.floor(i / rows), i % rows];
      places[node] = { x: x + column * (spacing.width + 24), y: wanted ? (wanted[i] as number) : (row - (rows - 1) / 2) * step };
    }
    x += columns * (spacing.width + 24) + spacing.across;
  }
  return { places, routes: shape.links.map(() => []) };
}

function neighbours(shape: Shape): { before: number[][]; after: number[][] } {
  const before: number[][] = shape.keys.map(() => []);
  const after: number[][] = shape.keys.map(() => []);
  for (const [from, to] of shape.links) {
    before[to]?.push(from);
    after[from]?.push(to);
  }
  return { before, after };
}

/** How many links lead to each node at most. Of a circle, the node that comes first is taken as its start. */
function ranks(count: number, before: readonly number[][], after: readonly number[][]): number[] {
  const left = before.map((all) => all.length);
  const rank: number[] = new Array(count).fill(0);
  const done: boolean[] = new Array(count).fill(false);
  const ready = left.flatMap((waits, node) => (waits === 0 ? [node] : []));
  let next = 0;
  for (let taken = 0; taken < count; ) {
    const node = ready.pop() ?? next++;
    if (done[node]) continue;
    done[node] = true;
    taken++;
    for (const to of after[node] ?? []) {
      if (done[to]) continue;
      rank[to] = Math.max(rank[to] as number, (rank[node] as number) + 1);
      left[to] = (left[to] as number) - 1;
      if (left[to] === 0) ready.push(to);
    }
  }
  return rank;
}

function sorted(rank: readonly number[]): number[][] {
  const layers: number[][] = [];
  for (const [node, at] of rank.entries()) {
    while (layers.length <= at) layers.push([]);
    layers[at]?.push(node);
  }
  return layers.filter((layer) => layer.length > 0);
}

/** The nodes of each layer, near to what they are linked with: by the mean place of their neighbours, forth and back. */
function ordered(layers: number[][], before: readonly number[][], after: readonly number[][]): number[][] {
  const place: number[] = [];
  const note = (layer: readonly number[]) => {
    for (const [i, node] of layer.entries()) place[node] = (i + 0.5) / layer.length;
  };
  for (const layer of layers) note(layer);
  const mean = (all: readonly number[], own: number) => (all.length === 0 ? own : all.reduce((sum, one) => sum + (place[one] as number), 0) / all.length);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forth = sweep % 2 === 0;
    for (const layer of forth ? layers : [...layers].reverse()) {
      const wanted = new Map(layer.map((node) => [node, mean((forth ? before : after)[node] ?? [], place[node] as number)]));
      layer.sort((a, b) => (wanted.get(a) as number) - (wanted.get(b) as number) || a - b);
      note(layer);
    }
  }
  return layers;
}

/** Heights of the nodes of one column: at the mean of what leads to them, in their order and not on each other. */
function spread(layer: readonly number[], before: readonly number[][], places: readonly (Point | undefined)[], step: number): number[] {
  const wanted = layer.map((node, i) => {
    const known = (before[node] ?? []).flatMap((one) => places[one]?.y ?? []);
    return known.length === 0 ? (i - (layer.length - 1) / 2) * step : known.reduce((a, b) => a + b, 0) / known.length;
  });
  const found = [...wanted];
  for (let i = 1; i < found.length; i++) found[i] = Math.max(found[i] as number, (found[i - 1] as number) + step);
  const off = found.reduce((sum, y, i) => sum + y - (wanted[i] as number), 0) / found.length;
  return found.map((y) => y - off);
}
