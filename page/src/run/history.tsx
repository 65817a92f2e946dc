/* What became of a step over the runs: each execution with its decision and reason, and the code that it had. */

import { useMemo } from "react";
import type { StepHistory } from "../api";
import { query, useAsk } from "../client";
import { Ago, Asked, Bytes, type Column, Digest, Duration, Empty, LeftOut, Num, RunLink, short, Source, StatusMark, Table, Text, useTitle, visible } from "../shared";
import { type Part, readable } from "./parts";
import { Reasons } from "./words";

type Row = StepHistory["rows"][number];

const path = (step: string, limit: number, id = ""): string => `/steps/${encodeURIComponent(step)}${query({ limit, id })}`;

/** The newest executions of one call of a step; `now` is the run that is shown already. */
export function History({ step, id, limit, now }: { step: string; id: string; limit: number; now: string }) {
  const asked = useAsk<StepHistory>(path(step, limit, id), { keep: true });
  return (
    <Asked query={asked}>
      {(history) => (
        <>
          <LeftOut runs={history.damaged} />
          {history.rows.length === 0 ? (
            <p className="faint">This is the first run that has it.</p>
          ) : (
            <Table
              caption="history of the step"
              rows={history.rows}
              rowKey={(row, i) => `${row.run} ${row.id} ${i}`}
              columns={[
                { id: "run", head: "run", cell: (row) => (row.run === now ? <b className="num">{visible(row.run)}</b> : <ToRun row={row} />) },
                { id: "status", head: "status", cell: (row) => <StatusMark status={row.status} word /> },
                { id: "why", head: "why", cell: (row) => <Text>{row.reasons[0]?.text.split("\n")[0] ?? row.decision}</Text> },
                { id: "time", head: "time", align: "right", cell: (row) => <Duration seconds={row.seconds} /> },
              ]}
            />
          )}
        </>
      )}
    </Asked>
  );
}

const ToRun = ({ row }: { row: Row }) => <RunLink run={row.run} search={`?step=${encodeURIComponent(row.id)}`} />;

/** The page of a step, by its full name. */
export function StepPage({ step }: { step: string }) {
  const asked = useAsk<StepHistory>(path(step, 200));
  useTitle(step);
  return (
    <Asked query={asked}>
      {(history) => (
        <>
          <header className="page-head">
            <div className="page-title">
              <h1>
                <Text>{history.step}</Text>
              </h1>
              {history.role && <span className="tag">{visible(history.role)}</span>}
            </div>
            {history.doc && <p className="lines">{history.doc}</p>}
          </header>
          <LeftOut runs={history.damaged} />
          {history.rows.length === 0 ? (
            <Empty title="No run has executed this step yet" command="stepwell run" />
          ) : (
            <>
              <section>
                <h2>Executions, the newest first</h2>
                <Table caption="executions of the step" rows={history.rows} rowKey={(row, i) => `${row.run} ${row.id} ${i}`} columns={columns(history.rows)} />
              </section>
              <Versions code={history.code} step={history.step} />
            </>
          )}
        </>
      )}
    </Asked>
  );
}

function columns(rows: Row[]): Column<Row>[] {
  const metrics = [...new Set(rows.flatMap((row) => Object.keys(row.metrics)))].slice(0, 12);
  return [
    { id: "run", head: "run", stay: true, cell: (row) => <ToRun row={row} /> },
    { id: "id", head: "call", cell: (row) => <Text>{row.id}</Text> },
    { id: "status", head: "status", cell: (row) => <StatusMark status={row.status} word /> },
    { id: "started", head: "when", cell: (row) => <Ago time={row.started} /> },
    { id: "decision", head: "decision", cell: (row) => <Text>{row.decision}</Text> },
    { id: "why", head: "why", cell: (row) => <Reasons reasons={row.reasons} /> },
    { id: "time", head: "time", align: "right", cell: (row) => <Duration seconds={row.seconds} /> },
    { id: "memory", head: "memory", align: "right", cell: (row) => <Bytes size={row.memory} /> },
    ...metrics.map((name): Column<Row> => ({ id: `m:${name}`, head: <Text>{name}</Text>, align: "right", cell: (row) => <Num value={row.metrics[name]} /> })),
    { id: "code", head: "code", cell: (row) => <code className="digest">{short(row.code, 8)}</code> },
    { id: "digest", head: "output", cell: (row) => <Digest digest={row.digest} length={8} /> },
  ];
}

function Versions({ code, step }: { code: StepHistory["code"]; step: string }) {
  if (code.length === 0) return null;
  return (
    <section>
      <h2>Its code</h2>
      {code.map((version, i) => (
        <details key={version.digest} open={i === 0} className="code-version">
          <summary>
            <code>{short(version.digest, 8)}</code>{" "}
            <span className="faint">
              {visible(version.first)}
              {version.last !== version.first && ` to ${visible(version.last)}`}
            </span>
          </summary>
          <Parts parts={version.parts} step={step} />
        </details>
      ))}
    </section>
  );
}

/** The definitions that a step's code consists of. */
export function Parts({ parts, step }: { parts: Part[]; step: string }) {
  const found = useMemo(() => readable(parts, step), [parts, step]);
  if (parts.length === 0) return <p className="faint">The text of this code was not kept.</p>;
  return (
    <>
      {found.parts.map((part, i) => (
        <div key={i} className="code-part">
          <div className="faint">
            <Text>{part.name}</Text>
            {part.file && (
              <>
                {" "}
                in{" "}
                <code>
                  {visible(part.file)}
                  {part.line > 0 && `:${part.line}`}
                </code>
              </>
            )}
          </div>
          {part.source ? <Source text={part.source} first={Math.max(1, part.line)} label={`source of ${visible(part.name)}`} /> : <p className="faint">Its text was not kept.</p>}
        </div>
      ))}
      {found.imports.length > 0 && (
        <div className="code-part">
          <div className="faint">imports</div>
          <Source text={found.imports.join("\n")} label="imports" />
        </div>
      )}
    </>
  );
}
