/* What the server of the page answers: one type for each address. `src/stepwell/ui/` makes them, `tests/ui/` holds both
 * sides to this file. Addresses are below `/api`; all are GET, all answer JSON, none changes anything.
 *
 * Numbers that are not finite come as the texts "NaN", "Infinity", "-Infinity". Times are seconds since 1970, durations
 * seconds, sizes bytes. A thing that is gone answers 404 with a `Problem`; a wrong question 400 with a `Problem`.
 */

export type Num = number | "NaN" | "Infinity" | "-Infinity";
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
export type RunStatus = "succeeded" | "failed" | "interrupted" | "running" | "damaged"; // damaged: its record cannot be read
export type StepStatus = "succeeded" | "failed" | "cached" | "skipped" | "blocked" | "interrupted" | "running" | "waiting";

/** An error as every command prints it. */
export interface Problem {
  error: { code: string; what: string; why: string; fixes: string[]; docs: string; where?: string };
}

/** GET /api/project */
export interface Project {
  name: string;
  version: string; // of Stepwell
  store: string; // shown path
  pipelines: { name: string; runs: number; last: RunSummary | null }[];
  runs: number;
  locked: boolean; // there is a stepwell.lock
  released: boolean; // there are channels
}

/** GET /api/runs?q=&pipeline=&status=&group=&tag=&where=&sort=-started&limit=100&offset=0&since=r12
 *  `where` is an expression as `stepwell compare --where` takes it. `sort` is a column, "-" before it for descending:
 *  run started seconds status pipeline params.NAME metrics.NAME. With `grouped=1` a sweep is one row: its `run` is "g3",
 *  its params are those that all points share, its metrics are empty, its points are in `points`. `metric=auc&metric=loss`
 *  gives only these metrics of each run. pipeline, status, group and tag may come several times. With `since` come the
 *  newer runs, those that are running, and those that ended in the last minutes.
 */
export interface RunList {
  runs: RunSummary[];
  total: number; // that match
  all: number; // in the store
  params: string[]; // names that occur in the runs that match, for columns of the user's choice
  metrics: string[];
  tags: string[];
  newest: string; // "r120": ask again with since= to hear only of newer ones and of those that were running
}

export interface RunSummary {
  run: string; // "r12"
  pipeline: string;
  status: RunStatus;
  started: number;
  seconds: number | null; // null while it runs
  params: Record<string, Json>;
  metrics: Record<string, Num>;
  tags: string[];
  commit: string; // "" without git
  dirty: boolean;
  counts: Record<string, number>; // by StepStatus; "left" are those that were not up to date and were left as they were
  group: string; // "g3", "" if no point of a sweep
  point: Record<string, Json>; // what varies in that sweep
  points?: RunSummary[]; // only where grouped=1
}

/** GET /api/runs/:run */
export interface RunPage extends RunSummary {
  argv: string[];
  file: string;
  python: string;
  platform: string;
  diff: string; // of the tree against the commit
  origins: Record<string, { layer: string; where: string }>;
  resume: string; // the command that goes on, "" where there is nothing to go on with
  steps: Step[];
  sources: Source[];
  edges: [number, number][]; // from node to node, of `Step.node`
  reads: [number, number][]; // from place in `sources` to node
  recorded: Recorded[]; // figures, tables, texts, cards, of all steps
  curves: { node: number; name: string; count: number; last: Num }[];
  progress: Record<string, { done: number; total: number | null; text: string }>; // by node, of steps that run
  previous: string; // the run of this pipeline before, "" if it is the first
  directions: Record<string, "higher" | "lower">; // which way is better, by metric, where it is known
}

export interface Step {
  node: number;
  id: string; // "train[2]"
  name: string;
  step: string; // full name, "steps.train:fit"
  role: string; // "" or "trainer", ...
  status: StepStatus;
  decision: string;
  reasons: Reason[];
  key: string | null;
  started: number | null; // in this run, null where nothing was executed (so far)
  seconds: number | null;
  cpu: number | null;
  memory: number | null;
  inputs: { name: string; text: string; digest: string; from: number | null; source: number | null }[];
  outputs: Output[];
  metrics: Record<string, Num>;
  made_by: string; // the run that made it, "" if that is gone
  notes: string[];
  error: (Problem["error"] & { traceback: string }) | null;
}

export interface Reason { kind: string; text: string; name?: string; before?: string | null; after?: string | null; diff?: string | null }
export interface Output { name: string; codec: string; digest: string; size: number; note: string }
export interface Source { name: string; uri: string; digest: string; size: number }
export interface Recorded {
  node: number;
  kind: "figure" | "table" | "text" | "card" | "tag" | "role";
  name: string;
  step: number | null; // place in a series
  digest: string; // "" where `text` has it
  codec: string;
  size: number;
  text: string;
}

/** GET /api/runs/:run/logs?node=&after=SEQ&q=&limit=1000 : newest last; `next` is what to ask for with `after`. A `text` is
 *  a piece as it came: it may have several lines, or end in the middle of one; pieces of one node and stream follow on. */
export interface Logs { lines: { seq: number; node: number; time: number; stream: "stdout" | "stderr"; text: string }[]; next: number; more: boolean; kept: boolean }

/** GET /api/runs/:run/curves?name=&name=&most=1000 : thinned to `most` points, extremes kept */
export interface Curves { curves: Curve[] }
export interface Curve { run: string; node: number; id: string; name: string; count: number; steps: number[]; values: Num[]; times: number[]; low: Num[]; high: Num[] }

/** GET /api/runs/:run/events : server-sent events; `change` with { run, status, seq } at most each 0.3 s while something
 *  changes, `end` when the run has ended. `Last-Event-ID` is honoured. GET /api/events : the same for the list of runs, with
 *  `run` "". A run that was removed has the status "removed". */

/** GET /raw/:digest?codec=&name=&save=1 : the bytes of an artifact; what a browser could run is in a sandbox of its own.
 *  With `save=1` to be saved. The `url` of a preview is such an address. */

/** GET /api/compare?run=r1&run=g3&run=r3..r9&where=&sort=&best=&lowest=1&metric=GLOB&all=1&limit= : what `stepwell compare --json` prints, see docs/reference/schemas */
export interface Comparison {
  runs: RunSummary[]; // the first is what the others are compared with
  params: Row<Json>[];
  metrics: (Row<Num> & { direction: "" | "higher" | "lower"; best: string[] })[];
  code: { step: string; changed: boolean; digests: Record<string, string>; diffs: { run: string; name: string; diff: string }[] }[]; // of runs with one digest, the first has the diff
  data: DataRow[];
  environment: Row<string>[]; // python, platform, distributions: only what differs, unless ?all=1
  steps: { step: string; seconds: Record<string, number | null>; status: Record<string, StepStatus | ""> }[];
  seconds: Row<number | null>;
  damaged: string[]; // runs that were left out since their records cannot be read
  notes: string[];
}
export interface Row<V> { name: string; values: Record<string, V | null>; differs: boolean; deltas: Record<string, number | null> }
export interface DataRow {
  name: string;
  kind: "source" | "read" | "output"; // read: by steps, besides their inputs; only what differs
  differs: boolean;
  digests: Record<string, string>;
  changes: { run: string; lines: string[] }[]; // schema, rows, columns that moved since the first run; of runs with one digest, at the first
}

/** GET /api/steps/:full?limit=&id= : the history of a step over runs, or of one call of it */
export interface StepHistory {
  step: string;
  role: string;
  doc: string;
  rows: { run: string; id: string; started: number; status: StepStatus; decision: string; reasons: Reason[]; seconds: number | null; memory: number | null; metrics: Record<string, Num>; code: string; digest: string }[];
  code: { digest: string; first: string; last: string; parts: { name: string; file: string; line: number; source: string }[] }[];
  damaged: string[]; // runs that were left out since their records cannot be read
}

/** GET /api/runs/:run/code?node= and GET /api/runs/:run/environment */
export interface Code { step: string; parts: { name: string; file: string; line: number; source: string }[]; commit: string; dirty: boolean }
export interface Environment { python: string; platform: string; distributions: Record<string, string> }

/** GET /api/data and GET /api/data/:name */
export interface DataList { data: DataSummary[] }
export interface DataSummary { name: string; uri: string; versions: number; digest: string; size: number; last: string; locked: string; key: string; units: Record<string, string> }
export interface DataPage extends DataSummary {
  doc: string;
  history: { digest: string; size: number; first: string; last: string; runs: string[]; started: number }[];
  lock: Json | null; // its block in stepwell.lock
}

/** GET /api/artifacts/:digest?codec= */
export interface ArtifactPage {
  digest: string;
  codec: string;
  size: number;
  here: boolean; // the bytes are in the store
  made: { run: string; node: number; id: string; step: string; output: string } | null;
  from: Lineage[]; // what it was made from, walking up
  into: Lineage[]; // what was made from it
  preview: Preview;
}
export interface Lineage { depth: number; kind: "artifact" | "source"; name: string; digest: string; run: string; id: string; codec: string }

/** What of an artifact can be shown without running anything. GET /api/artifacts/:digest/preview?codec=&rows=&offset= */
export type Preview =
  | { kind: "none"; why: string }
  | { kind: "table"; rows: number; columns: Column[]; head: Json[][]; offset: number; sampled: number | null; cut?: number } // columns left out
  | { kind: "image"; type: string; url: string }
  | { kind: "text"; text: string; language: string; cut: boolean }
  | { kind: "json"; value: Json; cut: boolean }
  | { kind: "array"; dtype: string; shape: number[]; stats: Record<string, Num>; histogram: Histogram | null; head: Json }
  | { kind: "model"; title: string; facts: [string, string][]; params: [string, string][] }
  | { kind: "html"; url: string; cut: boolean } // to be shown in a sandboxed frame only
  | { kind: "vega"; spec: Json }
  | { kind: "files"; files: { name: string; size: number; digest: string }[]; cut?: number } // files left out; digest "" inside an archive
  | { kind: "bytes"; hex: string; size: number };
export interface Column {
  name: string;
  type: string;
  nulls: number; // share, 0 to 1
  distinct: number | null;
  quantiles: Num[] | null; // 0, 25, 50, 75, 100 %
  mean: Num | null;
  top: [string, number][] | null; // most frequent values
  histogram: Histogram | null;
  unit: string;
}
export interface Histogram { edges: Num[]; counts: number[] }

/** GET /api/lock */
export interface LockPage { file: string; exists: boolean; lock: Json | null; text: string; stale: string[] }

/** GET /api/channels */
export interface Channels {
  channels: { name: string; version: string; since: number; who: string; why: string; data: [string, string][]; metrics: Record<string, Num>; commit: string; reproduced: string; next: { version: string; ok: boolean; why: string[] }[]; recalled: string[] }[];
  releases: { version: string; wheel: string; size: number; yanked: string; channels: string[] }[];
  history: { time: number; who: string; verb: string; channel: string; version: string; why: string }[];
}
