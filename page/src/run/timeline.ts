/* When steps ran, and what each of them waited for. Pure. */

import type { Step, StepStatus } from "../api";

/** One step in time; all in seconds since the run's start. */
export interface Bar {
  node: number;
  id: string;
  status: StepStatus;
  /** When the last step that it needs had ended. */
  ready: number;
  start: number;
  end: number;
  /** The step that it needs and that ended last; null where it needed none. */
  after: number | null;
  /** It took no time in this run: what it gives was there. */
  reused: boolean;
  /** When it began is not known: it was not before `start`. */
  guessed: boolean;
}

const NOT_RUN: ReadonlySet<StepStatus> = new Set(["skipped", "blocked", "waiting"]);

/** The steps that this run came to, those that began first on top. `now`: seconds since 1970. */
export function bars(
  steps: readonly Step[],
  edges: readonly (readonly [number, number])[],
  started: number,
  now: number,
): Bar[] {
  const before = new Map<number, number[]>();
  for (const [from, to] of edges) {
    const known = before.get(to);
    if (known) known.push(from);
    else before.set(to, [from]);
  }
  const found = new Map<number, Bar>();
  for (const step of ordered(steps, before)) {
    if (NOT_RUN.has(step.status)) continue;
    let ready = 0;
    let after: number | null = null;
    for (const needed of before.get(step.node) ?? []) {
      const bar = found.get(needed);
      if (bar !== undefined && (after === null || bar.end > ready)) {
        after = needed;
        ready = Math.max(ready, bar.end);
      }
    }
    const reused = step.status === "cached";
    // When a step began is told with its result: of one that goes on or failed, it is not earlier than this.
    const start = reused || step.started === null ? ready : Math.max(0, step.started - started);
    const took = reused ? 0 : (step.seconds ?? (step.status === "running" ? Math.max(0, now - started - start) : 0));
    const { node, id, status } = step;
    const guessed = !reused && step.started === null;
    found.set(node, { node, id, status, ready: Math.min(ready, start), start, end: start + took, after, reused, guessed });
  }
  return [...found.values()].sort((a, b) => a.start - b.start || a.end - b.end || a.node - b.node);
}

/** Steps so that each comes after those that it needs; where that is impossible, as they came. */
function ordered(steps: readonly Step[], before: ReadonlyMap<number, number[]>): Step[] {
  const byNode = new Map(steps.map((step) => [step.node, step]));
  const done = new Set<number>();
  const out: Step[] = [];
  for (const step of steps) {
    const stack = [step.node];
    while (stack.length > 0) {
      const node = stack[stack.length - 1] as number;
      const waits = (before.get(node) ?? []).filter((one) => !done.has(one) && byNode.has(one) && !stack.includes(one));
      if (done.has(node) || waits.length === 0) {
        stack.pop();
        const found = byNode.get(node);
        if (found && !done.has(node)) out.push(found);
        done.add(node);
      } else stack.push(...waits);
    }
  }
  return out;
}

/** The steps that decided how long the run took: from the one that ended last back over what each waited for. */
export function decisive(all: readonly Bar[]): Set<number> {
  const byNode = new Map(all.map((bar) => [bar.node, bar]));
  let last: Bar | undefined;
  for (const bar of all) if (!bar.reused && (last === undefined || bar.end > last.end)) last = bar;
  const out = new Set<number>();
  while (last !== undefined && !out.has(last.node)) {
    out.add(last.node);
    last = last.after === null ? undefined : byNode.get(last.after);
  }
  return out;
}

/** Round places for a scale from 0 to `seconds`, at most `most` of them. */
export function ticks(seconds: number, most: number): number[] {
  if (!(seconds > 0) || most < 1) return [0];
  const sizes = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  let size = sizes.find((one) => seconds / one <= most);
  if (seconds < most) {
    const power = 10 ** Math.floor(Math.log10(seconds / most));
    size = [1, 2, 5, 10].map((one) => one * power).find((one) => seconds / one <= most);
  }
  size ??= Math.ceil(seconds / most / 86400) * 86400;
  return Array.from({ length: Math.floor(seconds / size + 1e-9) + 1 }, (_, i) => i * (size as number));
}
