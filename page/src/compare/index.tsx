/* Runs beside each other: what differs in parameters, metrics, code, data, environment and times. */
import { useState, type FormEvent } from "react";
import type { Comparison, RunSummary } from "../api";
import { query, useAsk } from "../client";
import { Asked, Empty, LeftOut, many, RunLink, Said, seriesVar, StatusMark, Tabs, useEvents, useKeys, useSearch, useSlowly, useTitle, visible } from "../shared";
import { again } from "../client";
import { Charts } from "./charts";
import { Overlay } from "./curves";
import { CodeSection, DataSection, EnvironmentSection, StepsSection } from "./details";
import { ManyRuns, Sides } from "./sides";

const VIEWS = [
  { id: "table", label: "Table" },
  { id: "curves", label: "Curves" },
  { id: "parallel", label: "Parallel coordinates" },
  { id: "scatter", label: "Scatter" },
];

/** What chooses runs that nobody named. Who then names some, means those. */
const WANTED = ["where", "best", "lowest", "pipeline", "group", "tag", "limit"];
const NAMED = Object.fromEntries(WANTED.map((name) => [name, null]));

/** Up to so many runs stand side by side; more are a row each. */
const SIDES = 6;

export default function ComparePage() {
  const [search, set] = useSearch();
  const runs = search.getAll("run");
  const all = search.get("all") === "1";
  useTitle(runs.length ? `Compare ${runs.slice(0, 4).join(", ")}` : "Compare");
  const question = query({ run: runs, all: all ? "1" : "", ...Object.fromEntries(WANTED.map((name) => [name, search.get(name)])) });
  const found = useAsk<Comparison>(`/compare${question}`, { keep: true });
  const renew = useSlowly(() => again("/compare"), 2000);
  useEvents(found.data?.runs.some((run) => run.status === "running") ? "/events" : null, { change: renew });
  useKeys([{ keys: "e", what: "only what differs, or everything", act: () => set({ all: all ? null : "1" }) }]);

  return (
    <>
      <h1 className="unseen">Compare runs</h1>
      <Asked query={found}>
        {(comparison) =>
          comparison.runs.length === 0 ? (
            <Empty title="Nothing to compare" command={["stepwell run", "stepwell compare"]}>
              Tick runs in the list with x, then press c.
            </Empty>
          ) : (
            <Compared comparison={comparison} asked={runs} all={all} set={set} view={search.get("view") ?? "table"} />
          )
        }
      </Asked>
    </>
  );
}

type Set = ReturnType<typeof useSearch>[1];

function Compared({ comparison, asked, all, set, view }: { comparison: Comparison; asked: string[]; all: boolean; set: Set; view: string }) {
  const names = comparison.runs.map((run) => run.run);
  return (
    <>
      <Chosen runs={comparison.runs} set={set} />
      <LeftOut runs={comparison.damaged} />
      <div className="bar spread">
        <Tabs tabs={VIEWS} value={view} onChange={(id) => set({ view: id === "table" ? null : id })} label="views" />
        {view === "table" && (
          <button type="button" aria-pressed={!all} onClick={() => set({ all: all ? null : "1" })}>
            Only differences
          </button>
        )}
      </div>
      <div id="panel" role="tabpanel" aria-label={view}>
        {view === "curves" ? (
          <Overlay runs={comparison.runs} metrics={comparison.metrics.map((row) => row.name)} />
        ) : view === "parallel" || view === "scatter" ? (
          <Charts comparison={comparison} kind={view} />
        ) : (
          <>
            {names.length > SIDES ? <ManyRuns comparison={comparison} all={all} /> : <Sides comparison={comparison} all={all} />}
            <CodeSection comparison={comparison} all={all} />
            <DataSection comparison={comparison} all={all} />
            <EnvironmentSection comparison={comparison} all={all} />
            <StepsSection comparison={comparison} all={all} />
          </>
        )}
        {comparison.notes.length > 0 && (
          <section>
            <h2>Notes</h2>
            <ul>
              {comparison.notes.map((note) => (
                <li key={note}>
                  <Said>{note}</Said>
                </li>
              ))}
            </ul>
          </section>
        )}
      </div>
      <span className="unseen" role="status">
        {many(asked.length || names.length, "run")} compared
      </span>
    </>
  );
}

/** The runs that are compared: each can be taken away, or made the one that the others are compared with. */
function Chosen({ runs, set }: { runs: RunSummary[]; set: Set }) {
  const [text, setText] = useState("");
  const names = runs.map((run) => run.run);
  const add = (event: FormEvent) => {
    event.preventDefault();
    const more = text.split(/[\s,]+/).filter(Boolean);
    if (more.length) set({ ...NAMED, run: [...new Set([...names, ...more])] }, false);
    setText("");
  };
  const few = runs.slice(0, 24);
  return (
    <div className="bar chosen">
      {few.map((run, at) => (
        <span key={run.run} className="chip" style={{ borderLeftColor: seriesVar(at) }}>
          <StatusMark status={run.status} />
          <RunLink run={run.run} />
          {at === 0 ? (
            <span className="faint">first</span>
          ) : (
            <button type="button" className="quiet" title="compare the others with this run" aria-label={`compare with ${run.run}`} onClick={() => set({ ...NAMED, run: [run.run, ...names.filter((name) => name !== run.run)] })}>
              ⇤
            </button>
          )}
          {runs.length > 1 && (
            <button type="button" className="quiet" aria-label={`leave out ${run.run}`} onClick={() => set({ ...NAMED, run: names.filter((name) => name !== run.run) })}>
              ×
            </button>
          )}
        </span>
      ))}
      {runs.length > few.length && <span className="faint">and {runs.length - few.length} more</span>}
      <form onSubmit={add}>
        <input type="text" className="add" value={text} onChange={(event) => setText(event.target.value)} placeholder="add: r12, g3, last" aria-label="add runs" spellCheck={false} />
      </form>
    </div>
  );
}

export const runLabel = (run: RunSummary): string => visible(run.run);
