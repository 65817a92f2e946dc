/* What the steps of a run wrote: only the lines that are seen exist, new ones come while the run goes on. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, memo, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Logs } from "../api";
import { ask, query, Refused } from "../client";
import { Command, date, Empty, Link, many, Problem, RunLink, Text, to, useSearch, visible } from "../shared";
import { parse, type Span } from "./ansi";
import { address } from "./asking";
import type { TabProps } from "./index";
import { Book, chosen as wantedOf, type Line, marked } from "./lines";

const PAGE = 5000;
const HEIGHT = 19;

interface Read {
  book: Book;
  version: number;
  loading: boolean;
  kept: boolean;
  error: unknown;
}

/** The log of a run: read from its start to its end once, then what is new with each beat. */
function useLog(run: string, beat: number, status: string): Read {
  const [read, setRead] = useState<Read>(() => ({ book: new Book(), version: 0, loading: true, kept: true, error: null }));
  const { book } = read;
  const more = useRef<() => void>(() => undefined);
  useEffect(() => {
    const stop = new AbortController();
    const told = (change: Partial<Read>) => stop.signal.aborted || setRead((now) => ({ ...now, version: book.version, ...change }));
    const state = { wanted: false, busy: false };
    const go = async () => {
      state.wanted = true;
      if (state.busy) return;
      state.busy = true;
      while (state.wanted && !stop.signal.aborted) {
        state.wanted = false;
        try {
          await readOn(run, book, stop.signal, (kept) => told({ kept, loading: true }));
          told({ loading: false, error: null });
        } catch (error) {
          // Without an answer what is known stays shown; the page says that the server is gone, and the next beat asks again.
          told({ loading: false, ...(error instanceof Refused ? { error } : {}) });
        }
      }
      state.busy = false;
    };
    more.current = () => void go();
    return () => stop.abort();
  }, [run, book]);
  useEffect(() => more.current(), [run, beat, status]);
  return read;
}

/** Ask page after page until there is no more. */
async function readOn(run: string, book: Book, signal: AbortSignal, tell: (kept: boolean) => void): Promise<void> {
  for (let more = true; more; ) {
    const before = book.next;
    const answer = await ask<Logs>(address(run, `/logs${query({ after: before, limit: PAGE })}`), signal);
    book.add(answer.lines, answer.next);
    more = answer.more && book.next > before;
    tell(answer.kept);
  }
}

export function LogsTab({ run, chosen, beat }: TabProps) {
  const [search, set] = useSearch();
  const { book, version, loading, kept, error } = useLog(run.run, beat, run.status);
  const of = search.get("of") ?? "";
  const text = search.get("find") ?? "";
  const errors = search.get("stream") === "stderr";
  const wrap = search.get("wrap") === "1";
  const at = Number(search.get("line") ?? 0);
  const node = useMemo(() => run.steps.find((step) => step.id === of)?.node ?? null, [run.steps, of]);
  const ids = useMemo(() => new Map(run.steps.map((step) => [step.node, step.id])), [run.steps]);
  const lines = useMemo(() => wantedOf(book.all(), { node: of ? (node ?? -1) : null, errors, text }), [book, version, node, of, errors, text]);
  const written = useMemo(() => run.steps.filter((step) => step.status !== "cached" && step.status !== "skipped" && step.status !== "blocked"), [run.steps]);
  const named = of && !written.some((step) => step.id === of) ? [{ id: of, node: -1 }, ...written] : written;
  if (error) return <Problem error={error} />;
  if (!kept) return <Empty title="What this run printed is not kept any more" />;
  return (
    <>
      <div className="bar">
        <input type="search" aria-label="search the log" placeholder="search" value={text} onChange={(event) => set({ find: event.target.value, line: null })} />
        <select aria-label="lines of" value={of} onChange={(event) => set({ of: event.target.value, line: null })}>
          <option value="">all steps</option>
          {named.slice(0, 2000).map((step) => (
            <option key={step.node} value={step.id}>
              {visible(step.id)}
            </option>
          ))}
        </select>
        {chosen && chosen.id !== of && (
          <button type="button" onClick={() => set({ of: chosen.id, line: null })}>
            only <Text>{chosen.id}</Text>
          </button>
        )}
        <label className="tick">
          <input type="checkbox" checked={errors} onChange={(event) => set({ stream: event.target.checked ? "stderr" : null })} /> stderr
        </label>
        <label className="tick">
          <input type="checkbox" checked={wrap} onChange={(event) => set({ wrap: event.target.checked ? "1" : null })} /> wrap
        </label>
        <span className="faint" role="status">
          {loading && lines.length === 0 ? "" : many(lines.length, "line")}
          {book.dropped > 0 && `, without the first ${book.dropped.toLocaleString("en-US")}`}
        </span>
      </div>
      {book.dropped > 0 && (
        <p className="faint">
          All of it: <Command>{`stepwell logs ${run.run}`}</Command>
        </p>
      )}
      {lines.length === 0 && !loading ? (
        <Nothing run={run} of={of} searched={Boolean(text || errors)} />
      ) : (
        <Lines lines={lines} ids={ids} single={of !== ""} text={text} wrap={wrap} at={at} mark={(line) => set({ line: String(line) })} live={run.status === "running"} />
      )}
    </>
  );
}

function Nothing({ run, of, searched }: { run: TabProps["run"]; of: string; searched: boolean }) {
  const step = run.steps.find((one) => one.id === of);
  if (searched) return <Empty title="No line is like that" />;
  if (step?.status === "cached" && step.made_by && step.made_by !== run.run)
    return (
      <Empty title="This step was reused">
        What it printed is in{" "}
        <Link to={to.run(step.made_by, `?tab=logs&of=${encodeURIComponent(step.id)}`)}>the log of {visible(step.made_by)}</Link>.
      </Empty>
    );
  const makers = of ? [] : [...new Set(run.steps.filter((one) => one.status === "cached" && one.made_by && one.made_by !== run.run).map((one) => one.made_by))];
  return (
    <Empty title={run.status === "running" ? "Nothing was printed yet" : "No step printed anything"}>
      <p>What steps print, or write to stderr, is kept here.</p>
      {makers.length > 0 && (
        <p>
          What the reused steps printed is with the runs that made them:{" "}
          {makers.slice(0, 8).map((maker) => (
            <span key={maker}>
              <RunLink run={maker} search="?tab=logs" />{" "}
            </span>
          ))}
        </p>
      )}
    </Empty>
  );
}

interface LinesProps {
  lines: readonly Line[];
  ids: ReadonlyMap<number, string>;
  single: boolean;
  text: string;
  wrap: boolean;
  at: number;
  mark: (line: number) => void;
  live: boolean;
}

function Lines({ lines, ids, single, text, wrap, at, mark, live }: LinesProps) {
  const box = useRef<HTMLDivElement>(null);
  const [follows, setFollows] = useState(at === 0);
  const virtual = useVirtualizer({ count: lines.length, getScrollElement: () => box.current, estimateSize: () => HEIGHT, overscan: 20 });
  useLayoutEffect(() => {
    if (follows && lines.length > 0) virtual.scrollToIndex(lines.length - 1, { align: "end" });
    // It follows what is new, not what is scrolled.
  }, [lines, follows, wrap]);
  useLayoutEffect(() => {
    const index = at > 0 ? lines.findIndex((line) => line.number === at) : -1;
    if (index >= 0) virtual.scrollToIndex(index, { align: "center" });
  }, [at, lines.length === 0]);
  const scrolled = () => {
    const now = box.current;
    if (now) setFollows(now.scrollHeight - now.scrollTop - now.clientHeight < 2 * HEIGHT);
  };
  return (
    <div className="log-frame">
      <div className={wrap ? "log wrap" : "log"} ref={box} tabIndex={0} role="log" aria-live="off" aria-label="log" onScroll={scrolled}>
        <div className="log-body" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const line = lines[item.index];
            if (line === undefined) return null;
            return (
              <div key={item.key} data-index={item.index} ref={wrap ? virtual.measureElement : undefined} className="log-place" style={{ transform: `translateY(${item.start}px)` }}>
                <OneLine line={line} id={single ? "" : (ids.get(line.node) ?? "")} text={text} here={line.number === at} mark={mark} />
              </div>
            );
          })}
        </div>
      </div>
      {!follows && (
        <button type="button" className="to-end" onClick={() => setFollows(true)}>
          {live ? "follow" : "to the end"}
        </button>
      )}
    </div>
  );
}

const coloured = ({ fg, bg }: Span): CSSProperties | undefined =>
  fg || bg ? { color: fg && `var(--text-${fg})`, background: bg && `var(--wash-${bg})` } : undefined;

const OneLine = memo(function OneLine({ line, id, text, here, mark }: { line: Line; id: string; text: string; here: boolean; mark: (line: number) => void }) {
  const { spans } = parse(line.text, line.pen);
  return (
    <div className={`log-line ${line.stream}${here ? " here" : ""}`}>
      <button type="button" className="log-number" title={date(line.time)} aria-label={`line ${line.number}`} onClick={() => mark(line.number)}>
        {line.number}
      </button>
      {id && <span className="log-step">{visible(id)}</span>}
      {line.stream === "stderr" && (
        <span className="log-stderr" title="stderr">
          <span className="unseen">stderr: </span>!
        </span>
      )}
      <span className="log-text">
        {spans.map((span, i) => (
          <span key={i} className={span.classes || undefined} style={coloured(span)}>
            {text ? marked(span.text, text).map((piece, j) => (piece.hit ? <mark key={j}>{piece.text}</mark> : piece.text)) : span.text}
          </span>
        ))}
        {line.cut > 0 && <span className="odd"> … {line.cut.toLocaleString("en-US")} more characters</span>}
      </span>
    </div>
  );
});
