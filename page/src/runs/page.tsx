/* The list of runs: what one sees first. */
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useQueries } from "@tanstack/react-query";
import type { RunList, RunSummary } from "../api";
import { again, ask, query, Refused, useAsk } from "../client";
import {
  Ago,
  Counts,
  Duration,
  Empty,
  even,
  fitting,
  Grid,
  keep,
  kept,
  Left,
  Link,
  many,
  navigate,
  num,
  Num,
  plain,
  Problem,
  RunLink,
  StatusMark,
  Tags,
  Text,
  to,
  useEvents,
  useKeys,
  useSearch,
  useSlowly,
  useTitle,
  Value,
  visible,
  Wait,
  type Column,
} from "../shared";
import { ColumnChoice } from "./choice";
import { located, possible, range, read, usual, written, type Row } from "./columns";

const PAGE = 100;
const KEY = "stepwell.columns";
const ASKED = ["q", "where", "pipeline", "status", "tag", "group"] as const;

/** The question that the address asks, without the place in the list. */
function asked(search: URLSearchParams): Record<string, string> {
  const question: Record<string, string> = {};
  for (const name of ASKED) question[name] = search.get(name) ?? "";
  question.sort = search.get("sort") ?? "-started";

  const flat = search.get("flat") === "1" || Boolean(question.group);
  if (!flat) question.grouped = "1";
  return question;
}

/** `metrics`: those whose values are wanted; null for all. */
const path = (question: Record<string, string>, page: number, metrics: string[] | null): string =>
  `/runs${query({ ...question, limit: PAGE, offset: page * PAGE, metric: metrics === null ? undefined : metrics.length ? metrics : ["-"] })}`;

/** The names of the metrics among columns. */
const metricsOf = (columns: string[]): string[] => columns.filter((name) => name.startsWith("metrics.")).map((name) => name.slice(8));

/** The list, by index: pages are asked for as they come into view. `chosen` are the columns of the user's choice. */
function useRows(question: Record<string, string>, open: Set<string>, chosen: string[]) {
  const [view, setView] = useState<[number, number]>([0, 40]);
  const places = useRef<[number, number][]>([]);
  // The first page says which metrics there are, of which the usual columns are some.
  const first = useAsk<RunList>(path(question, 0, chosen.length ? metricsOf(chosen) : null), { keep: true, fresh: 2000 });
  // While an expression is half written, what was found last stays.
  const good = useRef<RunList | undefined>(undefined);
  if (first.data) good.current = first.data;
  const list = first.data ?? good.current;
  const columns = chosen.length ? chosen : usual(list);
  const last = Math.floor(((list?.total ?? 1) - 1) / PAGE);
  const from = Math.max(1, Math.floor(located(view[0], places.current).base / PAGE));
  const until = Math.min(last, Math.floor(located(view[1], places.current).base / PAGE));
  const pages = Array.from({ length: Math.max(0, until - from + 1) }, (_, at) => from + at);
  const more = useQueries({
    queries: pages.map((page) => {
      const address = path(question, page, metricsOf(columns));
      return { queryKey: [address], queryFn: ({ signal }: { signal: AbortSignal }) => ask<RunList>(address, signal), staleTime: 2000 };
    }),
  });
  // A row that is as it was stays the same object, so that it is not drawn again.
  const before = useRef(new WeakMap<RunSummary, Row>());
  const drawn = (run: RunSummary, kind: Row["kind"], open: boolean): Row => {
    const was = before.current.get(run);
    if (was && was.kind === kind && was.open === open) return was;
    const row = { run, kind, open };
    before.current.set(run, row);
    return row;
  };
  const rows = new Map<number, RunSummary>();
  list?.runs.forEach((run, at) => rows.set(at, run));
  pages.forEach((page, at) => more[at]?.data?.runs.forEach((run, index) => rows.set(page * PAGE + index, run)));

  // Sweeps that were opened and are not loaded any more keep their place.
  const known = [...rows.entries()]
    .filter(([, run]) => run.points && open.has(run.group))
    .map(([at, run]): [number, number] => [at, run.points?.length ?? 0]);
  const unloaded = open.size ? places.current.filter(([at]) => !rows.has(at)) : [];
  places.current = [...known, ...unloaded].sort((a, b) => a[0] - b[0]);
  const opened = places.current;
  const count = (list?.total ?? 0) + opened.reduce((sum, [, points]) => sum + points, 0);
  const row = (index: number): Row | undefined => {
    const { base, point } = located(index, opened);
    const run = rows.get(base);
    if (!run) return undefined;
    if (point < 0) return drawn(run, run.points ? "group" : "run", open.has(run.group));
    const one = run.points?.[point];
    return one && drawn(one, "point", false);
  };
  const seen = useCallback((from: number, until: number) => setView((was) => (was[0] === from && was[1] === until ? was : [from, until])), []);
  return { list, error: first.error, count, row, seen, columns };
}

export function RunsPage() {
  useTitle("Runs");
  const [search, set] = useSearch();
  const question = asked(search);
  const open = new Set(search.get("open")?.split(",").filter(Boolean));
  const ticked = new Set(search.get("pick")?.split(",").filter(Boolean));
  const [cursor, setCursor] = useState(-1);
  const [added, setAdded] = useState("");
  const box = useRef<HTMLInputElement>(null);
  const chosen = read(search.get("cols") ?? kept(KEY));
  const { list, error, count, row, seen, columns } = useRows(question, open, chosen);
  const renew = useSlowly(() => {
    again("/runs?");
    again("/project");
  });
  useEvents("/events", { change: renew });

  const choose = (next: string[] | null) => {
    setAdded(next?.find((name) => !columns.includes(name)) ?? "");
    keep(KEY, next ? written(next) : "");
    set({ cols: next ? written(next) : null });
  };
  const tick = (rows: RunSummary[]) => {
    const all = rows.every((one) => ticked.has(one.run));
    const next = new Set(ticked);
    for (const one of rows) if (all) next.delete(one.run);
    else next.add(one.run);
    set({ pick: [...next].join(",") || null });
  };
  const turn = (group: string) => {
    const next = new Set(open);
    if (!next.delete(group)) next.add(group);
    set({ open: [...next].join(",") || null });
  };
  const compare = () => {
    if (ticked.size > 1) navigate(to.compare([...ticked]));
  };
  // What the columns do is what this page does by then; they themselves change only with what they show.
  const acts = useRef({ tick, turn });
  useEffect(() => {
    acts.current = { tick, turn };
  });
  const table = useMemo(
    () => columnsOf(columns, list?.runs ?? [], { ticked, tick: (rows) => acts.current.tick(rows), turn: (group) => acts.current.turn(group) }),
    [columns.join("\n"), list, search.get("pick")],
  );
  const at = cursor >= 0 ? row(cursor) : undefined;
  useKeys([
    { keys: "j", what: "next run", act: () => setCursor((was) => Math.min(was + 1, count - 1)) },
    { keys: "k", what: "run before", act: () => setCursor((was) => Math.max(was - 1, 0)) },
    { keys: "Enter", what: "open the run", act: () => at && (at.kind === "group" ? turn(at.run.group) : navigate(to.run(at.run.run))) },
    { keys: "x", what: "tick the run", act: () => at && tick(at.kind === "group" ? (at.run.points ?? []) : [at.run]) },
    { keys: "c", what: "compare what is ticked", act: compare },
    { keys: "/", what: "search", act: () => box.current?.focus() },
    { keys: "Escape", what: "forget ticks and place", act: () => (setCursor(-1), ticked.size && set({ pick: null })) },
  ]);

  if (list && list.all === 0) return <Teach />;
  const narrowed = ASKED.some((name) => question[name]);
  return (
    <div className="runs">
      <h1 className="unseen">Runs</h1>
      <Filters search={search} set={set} list={list} error={error} box={box} />
      <div className="bar">
        <span className="faint" role="status">
          {list ? (narrowed ? `${many(list.total, question.grouped ? "row" : "run")} of ${many(list.all, "run")}` : many(list.all, "run")) : error ? "" : "…"}
        </span>
        <span className="grow" />
        {ticked.size > 0 && (
          <>
            <span className="faint">{ticked.size} ticked</span>
            <button type="button" className="quiet" onClick={() => set({ pick: null })}>
              none
            </button>
          </>
        )}
        {narrowed && ticked.size === 0 && matching(question) && (list?.total ?? 0) > 0 && (
          <Link to={matching(question) ?? ""} className="button">
            Compare what matches
          </Link>
        )}
        <button type="button" className={ticked.size > 1 ? "primary" : ""} disabled={ticked.size < 2} onClick={compare} title="tick at least two runs (x), then press c">
          Compare
        </button>
        <button type="button" aria-pressed={search.get("flat") !== "1"} onClick={() => set({ flat: search.get("flat") === "1" ? null : "1" })} title="points of a sweep as one row">
          Group sweeps
        </button>
        <ColumnChoice all={possible(list)} shown={columns} onChange={choose} own={chosen.length > 0} />
      </div>
      {error && !list && !(error instanceof Refused && question.where) && <Problem error={error} />}
      {!list && !error && <Wait />}
      {list && (
        <Grid<Row>
          className="runs-grid"
          remember={query({ ...question, open: search.get("open") })}
          caption="runs"
          columns={table}
          count={count}
          row={row}
          rowKey={(one) => `${one.kind}-${one.run.run}`}
          order={question.sort}
          onOrder={(sort) => set({ sort: sort === "-started" ? null : sort })}
          seen={seen}
          cursor={cursor}
          show={added}
          rowClass={(one) => `${one.kind} ${one.kind !== "group" && ticked.has(one.run.run) ? "ticked" : ""}`}
        />
      )}
      {list && list.total === 0 && <Empty title="No run matches">{narrowed && <button onClick={() => set(Object.fromEntries(ASKED.map((name) => [name, null])))}>Show all runs</button>}</Empty>}
    </div>
  );
}

/** Where what matches is compared; null where the comparison has no such question. */
function matching(question: Record<string, string>): string | null {
  if (question.q) return null;
  const status = question.status ? `status == "${question.status}"` : "";
  const where = status && question.where ? `(${question.where}) and ${status}` : question.where || status;
  return `/compare${query({ where, pipeline: question.pipeline, tag: question.tag, group: question.group })}`;
}

/** A box whose text is asked for when the typing pauses. */
function Typed({ name, label, placeholder, search, set, box, invalid, wide }: { name: string; label: string; placeholder: string; search: URLSearchParams; set: (change: Record<string, string | null>) => void; box?: React.RefObject<HTMLInputElement | null>; invalid?: boolean; wide?: boolean }) {
  const value = search.get(name) ?? "";
  const [text, setText] = useState(value);
  const [sent, setSent] = useState(value);
  if (value !== sent) {
    // The address was changed from elsewhere, e.g. by going back.
    setSent(value);
    setText(value);
  }
  useEffect(() => {
    if (text === sent) return;
    const timer = window.setTimeout(() => {
      setSent(text);
      set({ [name]: text || null });
    }, 250);
    return () => window.clearTimeout(timer);
  }, [text, sent, name, set]);
  return (
    <input
      ref={box}
      type="search"
      className={wide ? "wide" : ""}
      aria-label={label}
      aria-invalid={invalid || undefined}
      placeholder={placeholder}
      value={text}
      spellCheck={false}
      autoComplete="off"
      onChange={(event) => setText(event.target.value)}
    />
  );
}

const STATUS = ["succeeded", "failed", "interrupted", "running", "damaged"];

function Filters({ search, set, list, error, box }: { search: URLSearchParams; set: (change: Record<string, string | null>) => void; list: RunList | undefined; error: unknown; box: React.RefObject<HTMLInputElement | null> }) {
  const wrong = error instanceof Refused && Boolean(search.get("where"));
  const refused = useDeferredValue(wrong ? error : null);
  const project = useAsk<{ pipelines: { name: string }[] }>("/project", { fresh: 30_000 });
  const pipelines = project.data?.pipelines.map((one) => one.name) ?? [];
  return (
    <>
      <div className="bar" role="search">
        <Typed name="q" label="search" placeholder="search runs   /" search={search} set={set} box={box} />
        <Typed name="where" label="where" placeholder='where: depth > 4 and auc > 0.8 and tag == "baseline"' search={search} set={set} invalid={wrong} wide />
        <Choice name="pipeline" label="pipeline" all={pipelines} search={search} set={set} />
        <Choice name="status" label="status" all={STATUS} search={search} set={set} />
        {(list?.tags.length || search.get("tag")) && <Choice name="tag" label="tag" all={list?.tags ?? []} search={search} set={set} />}
        {search.get("group") && (
          <button type="button" aria-pressed="true" onClick={() => set({ group: null })}>
            sweep {visible(search.get("group") ?? "")} ×
          </button>
        )}
      </div>
      {refused && <Problem error={refused} />}
    </>
  );
}

function Choice({ name, label, all, search, set }: { name: string; label: string; all: string[]; search: URLSearchParams; set: (change: Record<string, string | null>) => void }) {
  const value = search.get(name) ?? "";
  const options = value && !all.includes(value) ? [value, ...all] : all;
  return (
    <select aria-label={label} value={value} onChange={(event) => set({ [name]: event.target.value || null })}>
      <option value="">any {label}</option>
      {options.map((one) => (
        <option key={one} value={one}>
          {visible(one)}
        </option>
      ))}
    </select>
  );
}

interface Acts {
  ticked: Set<string>;
  tick: (rows: RunSummary[]) => void;
  turn: (group: string) => void;
}

/** The columns as the grid takes them. */
function columnsOf(names: string[], runs: RunSummary[], acts: Acts): Column<Row>[] {
  return [
    { id: "tick", head: null, label: "ticked", width: "34px", cell: (row) => <Tick row={row} acts={acts} /> },
    { id: "run", head: "run", width: runs.some((run) => run.points) ? "190px" : "110px", stay: true, sort: "run", cell: (row) => <Name row={row} turn={acts.turn} /> },
    ...names.map((name) => column(name, runs)),
    { id: "rest", head: null, label: "more", width: "minmax(0, 1fr)", cell: () => null },
  ];
}

function Tick({ row, acts }: { row: Row; acts: Acts }) {
  const runs = row.kind === "group" ? (row.run.points ?? []) : [row.run];
  const on = runs.length > 0 && runs.every((one) => acts.ticked.has(one.run));
  return <input type="checkbox" checked={on} onChange={() => acts.tick(runs)} tabIndex={-1} aria-label={`tick ${row.kind === "group" ? row.run.group : row.run.run}`} />;
}

function Name({ row, turn }: { row: Row; turn: (group: string) => void }) {
  if (row.kind !== "group") return <RunLink run={row.run.run} />;
  return (
    <>
      <button type="button" className="quiet group-name" aria-expanded={row.open} onClick={() => turn(row.run.group)}>
        <span aria-hidden="true">{row.open ? "▾" : "▸"}</span> {visible(row.run.group)} · {many(row.run.points?.length ?? 0, "run")}
      </button>
      <span className="grow" />
      <Link to={to.compare([row.run.group])}>compare</Link>
    </>
  );
}

const WIDTHS: Record<string, string> = { status: "116px", started: "134px", seconds: "96px", steps: "150px", commit: "96px" };
const HEADS: Record<string, string> = { seconds: "took" };

/** Tags of a run that are shown in the list; how many more it has stands behind them. */
const TAGS = 3;

/** The width that fits what the first runs have in a column. */
function width(kind: string, label: string, runs: RunSummary[]): string {
  const each = runs.flatMap((run) => run.points ?? [run]);
  if (kind === "metric") return fitting(label, [...each.map((run) => even(run.metrics[label])), ...(runs.some((run) => run.points) ? ["0.000 … 0.000"] : [])]);
  // A tag is drawn smaller than the text, with a frame around it.
  if (label === "tags") return fitting(label, runs.map((run) => run.tags.slice(0, TAGS).map((tag) => `${tag.slice(0, 19)}    `).join("")), 8, 48);
  return fitting(label, kind === "param" ? each.map((run) => plain(run.params[label])) : each.map((run) => run.pipeline));
}

function column(name: string, runs: RunSummary[]): Column<Row> {
  const [kind, label] = name.startsWith("params.") ? ["param", name.slice(7)] : name.startsWith("metrics.") ? ["metric", name.slice(8)] : ["fixed", name];
  const right = name === "seconds" || kind === "metric";
  const sort = name === "steps" || name === "tags" || name === "commit" ? undefined : name;
  const head = <span title={name}>{visible(HEADS[name] ?? label ?? name)}</span>;
  return { id: name, head, width: WIDTHS[name] ?? width(kind ?? "", label ?? name, runs), sort, align: right ? "right" : undefined, cell: (row) => cell(kind ?? "fixed", label ?? name, row) };
}

function cell(kind: string, name: string, { run, kind: row }: Row) {
  if (row === "group" && kind !== "fixed") return <Summed kind={kind} name={name} points={run.points ?? []} />;
  if (kind === "param") return <Value value={run.params[name]} />;
  if (kind === "metric") return name in run.metrics ? <Num value={run.metrics[name]} column /> : null;
  switch (name) {
    case "status":
      return row === "group" ? <Counts counts={statuses(run.points ?? [])} /> : (
        <>
          <StatusMark status={run.status} word /> <Left counts={run.counts} />
        </>
      );
    case "pipeline":
      return <Text>{run.pipeline}</Text>;
    case "started":
      return <Ago time={run.started} />;
    case "seconds":
      return <Duration seconds={run.seconds} since={run.status === "running" ? run.started : null} />;
    case "steps":
      return <Counts counts={run.counts} />;
    case "tags":
      return <Tags tags={run.tags} most={TAGS} />;
    case "commit":
      return run.commit ? (
        <code title={run.dirty ? `${run.commit} and changes` : run.commit}>
          {visible(run.commit.slice(0, 8))}
          {run.dirty && "+"}
        </code>
      ) : null;
    default:
      return null;
  }
}

function statuses(points: RunSummary[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const point of points) counts[point.status] = (counts[point.status] ?? 0) + 1;
  return counts;
}

/** A number with three digits: what is between two of them is a glance, not a table. */
const rough = (value: number): string => num(Number(value.toPrecision(3)));

/** What a sweep as one row says of a column: what all points share, or from where to where. */
function Summed({ kind, name, points }: { kind: string; name: string; points: RunSummary[] }) {
  if (kind === "metric") {
    const ends = range(points, name);
    return ends && <span className="num faint">{ends[0] === ends[1] ? even(ends[0]) : `${rough(ends[0])} … ${rough(ends[1])}`}</span>;
  }
  const values = [...new Map(points.map((point) => [JSON.stringify(point.params[name]), point.params[name]])).values()];
  return values.length === 1 ? <Value value={values[0]} /> : <span className="faint">{values.length > 1 ? `${values.length} values` : ""}</span>;
}

function Teach() {
  return (
    <Empty title="No runs yet" command={["stepwell new", "stepwell run"]}>
      Each run of a pipeline is kept here with its parameters, metrics, code and data. Write a pipeline, then run it; this page follows by itself.
    </Empty>
  );
}
