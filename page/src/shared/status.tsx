/* What became of a run or a step: a shape and a colour and a word, never a colour alone. */
import type { RunStatus, StepStatus } from "../api";
import { many } from "./format";

/** Of a step also "left": it was not up to date, and not to run; it counts apart from those that were cached. */
export type Status = RunStatus | StepStatus | "left";

const SHAPES: Record<Status, string> = {
  succeeded: "M3 8.6l3.2 3.2L13 5",
  failed: "M4 4l8 8M12 4l-8 8",
  cached: "M8 3.2l4.8 4.8L8 12.8 3.2 8z",
  left: "M8 3.2l4.8 4.8L8 12.8 3.2 8zM3 13.5L13 2.5",
  skipped: "M3.5 8h9",
  blocked: "M3.8 12.2l8.4-8.4M8 2.6a5.4 5.4 0 100 10.8A5.4 5.4 0 008 2.6z",
  interrupted: "M5.5 3.5v9M10.5 3.5v9",
  damaged: "M8 2.8l5.6 10H2.4zM8 6.4v3M8 11v.6",
  running: "M8 2.6a5.4 5.4 0 11-5.4 5.4",
  waiting: "M8 2.6a5.4 5.4 0 100 10.8A5.4 5.4 0 008 2.6z",
};

export const STATUSES = Object.keys(SHAPES) as Status[];

/** The mark of a status; with `word`, the word beside it. */
export function StatusMark({ status, word = false, title }: { status: Status; word?: boolean; title?: string }) {
  const known = status in SHAPES ? status : "waiting";
  return (
    <span className={`status status-${known}`} title={title ?? (status === "damaged" ? "its record cannot be read: stepwell verify takes it out" : word ? undefined : status)}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" className={known === "running" ? "turning" : undefined}>
        <path d={SHAPES[known]} />
      </svg>
      {word ? <span>{status}</span> : <span className="unseen">{status}</span>}
    </span>
  );
}

/** That a run took results which were not up to date any more (`--only`, `--from`); nothing for others. */
export function Left({ counts }: { counts: Record<string, number> }) {
  return counts.left ? <StatusMark status="left" title={told(counts)} /> : null;
}

function told(counts: Record<string, number>): string {
  return `${many(counts.left ?? 0, "step")} not up to date, and not to run`;
}

/** How many steps came to what: marks with numbers, in a fixed order, without those that are none. */
export function Counts({ counts }: { counts: Record<string, number> }) {
  const shown = STATUSES.filter((status) => (counts[status] ?? 0) > 0);
  return (
    <span className="counts">
      {shown.map((status) => (
        <span key={status} className="nowrap" title={status === "left" ? told(counts) : `${counts[status]} ${status}`}>
          <StatusMark status={status} />
          {counts[status]}
        </span>
      ))}
    </span>
  );
}
