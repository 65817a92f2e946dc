/* The graph of a run as boxes and links: a box is a step, all calls of a step, or a source. Pure. */

import type { Source, Step, StepStatus } from "../api";

/** Boxes up to which each call of a step has its own; of larger graphs calls of one step are one box. */
export const CROWDED = 150;

export interface Box {
  /** Stays the same while a run goes on and the graph grows: "n12", "g:train", "s0". */
  key: string;
  kind: "step" | "group" | "source";
  /** What is written on it: a step's id, `train`, a source's name. */
  name: string;
  /** The nodes that it stands for; of a source none. */
  nodes: number[];
  status: StepStatus | "source";
  counts: Partial<Record<StepStatus, number>>;
  /** Seconds of work, null where nothing was executed. */
  seconds: number | null;
  reason: string;
}

export interface Link {
  from: string;
  to: string;
}

export interface Drawing {
  boxes: Box[];
  links: Link[];
}

/** From what needs most attention to what needs least: a group looks as the first of its calls. */
export const ATTENTION: StepStatus[] = [
  "failed",
  "interrupted",
  "running",
  "blocked",
  "waiting",
  "succeeded",
  "skipped",
  "cached",
];

/** A call's id without the numbers of calls: `folds[2].train[3]` is of `folds.train`. */
export function stem(id: string): string {
  return id.replace(/\[\d+\]/g, "");
}

export interface Choice {
  /** Groups that are open: their stems; "*" opens all. */
  open: ReadonlySet<string>;
  /** Only these nodes, null for all. */
  only: ReadonlySet<number> | null;
  sources: boolean;
}

/** What is drawn of a run. */
export function drawing(
  run: { steps: readonly Step[]; sources: readonly Source[]; edges: readonly (readonly [number, number])[]; reads: readonly (readonly [number, number])[] },
  choice: Choice,
): Drawing {
  const steps = choice.only === null ? run.steps : run.steps.filter((step) => choice.only?.has(step.node));
  const place = places(steps, choice.open);
  const boxes = new Map<string, Box>();
  for (const step of steps) {
    const key = place.get(step.node) as string;
    const box = boxes.get(key);
    if (box === undefined) boxes.set(key, first(key, step));
    else join(box, step);
  }
  const links = new Map<string, Link>();
  const link = (from: string | undefined, to: string | undefined) => {
    if (from !== undefined && to !== undefined && from !== to) links.set(`${from} ${to}`, { from, to });
  };
  for (const [from, to] of run.edges) link(place.get(from), place.get(to));
  if (choice.sources) {
    for (const [at, node] of run.reads) {
      const source = run.sources[at];
      const to = place.get(node);
      if (source === undefined || to === undefined) continue;
      const key = `s${at}`;
      if (!boxes.has(key)) boxes.set(key, ofSource(key, source));
      link(key, to);
    }
  }
  return { boxes: [...boxes.values()], links: [...links.values()] };
}

/** The box of each node: its own, or that of all calls of its step where there are many boxes. */
function places(steps: readonly Step[], open: ReadonlySet<string>): Map<number, string> {
  const calls = new Map<string, number>();
  const crowded = steps.length > CROWDED && !open.has("*");
  if (crowded) for (const step of steps) calls.set(stem(step.id), (calls.get(stem(step.id)) ?? 0) + 1);
  return new Map(
    steps.map((step) => {
      const name = stem(step.id);
      const together = crowded && (calls.get(name) ?? 0) > 1 && !open.has(name);
      return [step.node, together ? `g:${name}` : `n${step.node}`];
    }),
  );
}

function first(key: string, step: Step): Box {
  const kind = key.startsWith("g:") ? "group" : "step";
  return {
    key,
    kind,
    name: kind === "group" ? stem(step.id) : step.id,
    nodes: [step.node],
    status: step.status,
    counts: { [step.status]: 1 },
    seconds: worked(step),
    reason: step.reasons[0]?.text ?? "",
  };
}

/** Seconds that a step worked in this run. */
function worked(step: Step): number | null {
  return step.status === "cached" ? null : step.seconds;
}

function join(box: Box, step: Step): void {
  box.nodes.push(step.node);
  box.counts[step.status] = (box.counts[step.status] ?? 0) + 1;
  const seconds = worked(step);
  if (seconds !== null) box.seconds = (box.seconds ?? 0) + seconds;
  if (ATTENTION.indexOf(step.status) < ATTENTION.indexOf(box.status as StepStatus)) box.status = step.status;
  const why = step.reasons[0]?.text ?? "";
  if (why !== box.reason) box.reason = box.reason && why ? "for several reasons" : box.reason || why;
}

function ofSource(key: string, source: Source): Box {
  return { key, kind: "source", name: source.name, nodes: [], status: "source", counts: {}, seconds: null, reason: source.uri };
}

/** A node with all that leads to it and all that comes from it, up to `far` edges away. */
export function around(edges: readonly (readonly [number, number])[], nodes: readonly number[], far: number): Set<number> {
  const after = new Map<number, number[]>();
  const before = new Map<number, number[]>();
  const note = (ways: Map<number, number[]>, at: number, other: number) => {
    const known = ways.get(at);
    if (known) known.push(other);
    else ways.set(at, [other]);
  };
  for (const [from, to] of edges) {
    note(after, from, to);
    note(before, to, from);
  }
  const found = new Set(nodes);
  for (const ways of [after, before]) {
    let edge = [...nodes];
    const seen = new Set(nodes);
    for (let away = 0; away < far && edge.length > 0; away++) {
      edge = edge.flatMap((node) => ways.get(node) ?? []).filter((node) => !seen.has(node) && seen.add(node));
      for (const node of edge) found.add(node);
    }
  }
  return found;
}

/** The nodes whose id, step or status has the text; none for an empty text. */
export function matching(steps: readonly Step[], text: string): Set<number> {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return new Set();
  const hit = (step: Step) =>
    step.id.toLowerCase().includes(wanted) || step.step.toLowerCase().includes(wanted) || step.status === wanted;
  return new Set(steps.filter(hit).map((step) => step.node));
}

export type Way = "left" | "right" | "up" | "down";

/** The box that an arrow key goes to from one: along a link to the left and right, else the nearest above or below. */
export function neighbour(
  at: string,
  way: Way,
  links: readonly Link[],
  where: ReadonlyMap<string, { x: number; y: number }>,
): string | null {
  const here = where.get(at);
  if (here === undefined) return null;
  const linked = links.flatMap((one) =>
    way === "right" && one.from === at ? [one.to] : way === "left" && one.to === at ? [one.from] : [],
  );
  const upright = way === "up" || way === "down";
  const keys = upright ? [...where.keys()].filter((key) => key !== at) : linked;
  let best: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const key of keys) {
    const there = where.get(key);
    if (there === undefined) continue;
    const dx = there.x - here.x;
    const dy = there.y - here.y;
    if (upright && (Math.abs(dx) > 40 || (way === "up" ? dy >= 0 : dy <= 0))) continue;
    const far = upright ? Math.abs(dy) : Math.abs(dx) + Math.abs(dy);
    if (far < least) [best, least] = [key, far];
  }
  return best;
}
