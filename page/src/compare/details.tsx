/* Code, data, environment and times of the runs that are compared. */
import type { Comparison, DataRow } from "../api";
import { Diff, Digest, duration, many, RunLink, StatusMark, Table, Text, visible, type Column } from "../shared";
import { runHead } from "./sides";

/** Shown open up to so many; more are opened by a press. */
const OPEN = 6;
/** Columns of a table of runs; the rest of the runs is in the table above. */
const COLUMNS = 40;

export function CodeSection({ comparison, all }: { comparison: Comparison; all: boolean }) {
  const changed = comparison.code.filter((one) => one.changed);
  const same = comparison.code.filter((one) => !one.changed);
  return (
    <section>
      <h2>Code</h2>
      {changed.length === 0 && <p className="faint">{same.length ? `All steps ran the same code (${many(same.length, "step")}).` : "No step ran in these runs."}</p>}
      {changed.map((one, at) => (
        <details key={one.step} open={at < OPEN} className="change">
          <summary>
            <Text>{one.step}</Text> <span className="faint">{many(new Set(Object.values(one.digests)).size, "version")}</span>
          </summary>
          {one.diffs.map((diff) => (
            <div key={`${diff.run} ${diff.name}`}>
              <p className="faint">
                <RunLink run={diff.run} /> <code>{visible(diff.name)}</code>
              </p>
              <Diff diff={diff.diff} label={`${diff.name} in ${diff.run}`} />
            </div>
          ))}
          {one.diffs.length === 0 && <p className="faint">What changed is not kept as text.</p>}
        </details>
      ))}
      {all && changed.length > 0 && same.length > 0 && <p className="faint">The same: {visible(same.map((one) => one.step).join(", "))}</p>}
    </section>
  );
}

export function DataSection({ comparison, all }: { comparison: Comparison; all: boolean }) {
  const rows = comparison.data.filter((row) => all || row.differs);
  const runs = comparison.runs.slice(0, COLUMNS);
  const columns: Column<DataRow>[] = [
    {
      id: "name",
      head: "data",
      stay: true,
      cell: (row) => (
        <>
          <Text>{row.name}</Text> <span className="faint">{row.kind}</span>
        </>
      ),
    },
    ...runs.map((run, at): Column<DataRow> => ({
      id: run.run,
      head: runHead(run, at),
      cell: (row) => {
        const digest = row.digests[run.run];
        return digest ? (
          <span className={digest === row.digests[runs[0]?.run ?? ""] ? "" : "changed"}>
            <Digest digest={digest} />
          </span>
        ) : (
          <span className="faint">–</span>
        );
      },
    })),
  ];
  // Of many runs, what each step gave differs almost always: it is there for who wants it.
  const [inputs, outputs] = comparison.runs.length > 6 ? [rows.filter((row) => row.kind !== "output"), rows.filter((row) => row.kind === "output")] : [rows, []];
  const told = rows.filter((row) => row.changes.some((change) => change.lines.length));
  return (
    <section>
      <h2>Data</h2>
      {inputs.length > 0 && <Table columns={columns} rows={inputs} rowKey={(row) => `${row.kind} ${row.name}`} caption="data" />}
      {inputs.length === 0 && <p className="faint">{comparison.data.length === 0 ? "Nothing was read." : outputs.length ? "All runs read the same data." : "All runs read the same data, and gave the same."}</p>}
      {outputs.length > 0 && (
        <details className="change">
          <summary>{many(outputs.length, "output")} of steps</summary>
          <Table columns={columns} rows={outputs} rowKey={(row) => row.name} caption="outputs" />
        </details>
      )}
      {told.map((row) => (
        <details key={`${row.kind} ${row.name}`} open className="change">
          <summary>
            <Text>{row.name}</Text>
          </summary>
          {row.changes.map((change) => (
            <div key={change.run}>
              <p className="faint">
                <RunLink run={change.run} />
              </p>
              <ul className="changes">
                {change.lines.map((line) => (
                  <li key={line} className="lines">
                    {line}
                  </li>
                ))}
              </ul>
            </div>
          ))}
        </details>
      ))}
    </section>
  );
}

export function EnvironmentSection({ comparison, all }: { comparison: Comparison; all: boolean }) {
  const rows = comparison.environment.filter((row) => all || row.differs);
  const runs = comparison.runs.slice(0, COLUMNS);
  return (
    <section>
      <h2>Environment</h2>
      {rows.length ? (
        <Table
          columns={[
            { id: "name", head: "package", stay: true, cell: (row) => <Text>{row.name}</Text> },
            ...runs.map((run, at): Column<(typeof rows)[number]> => ({
              id: run.run,
              head: runHead(run, at),
              cell: (row) => {
                const value = row.values[run.run];
                return value ? <span className={value === row.values[runs[0]?.run ?? ""] ? "" : "changed"}>{visible(value)}</span> : <span className="faint">–</span>;
              },
            })),
          ]}
          rows={rows}
          rowKey={(row) => row.name}
          caption="environment"
        />
      ) : (
        <p className="faint">The same Python, platform and packages.</p>
      )}
    </section>
  );
}

const SAME = new Set(["cached", "skipped", ""]);

export function StepsSection({ comparison, all }: { comparison: Comparison; all: boolean }) {
  const runs = comparison.runs.slice(0, COLUMNS);
  const rows = comparison.steps.filter((row) => all || runs.some((run) => !SAME.has(row.status[run.run] ?? "")));
  return (
    <section>
      <h2>Time of each step</h2>
      {rows.length ? (
        <Table
          columns={[
            { id: "step", head: "step", stay: true, cell: (row) => <Text>{row.step}</Text> },
            ...runs.map((run, at): Column<(typeof rows)[number]> => ({
              id: run.run,
              head: runHead(run, at),
              align: "right",
              cell: (row) => {
                const status = row.status[run.run];
                if (!status) return <span className="faint">–</span>;
                return (
                  <span className="nowrap">
                    <StatusMark status={status} /> <span className="num">{duration(row.seconds[run.run])}</span>
                  </span>
                );
              },
            })),
          ]}
          rows={rows.slice(0, 500)}
          rowKey={(row) => row.step}
          caption="time of each step"
        />
      ) : (
        <p className="faint">{comparison.steps.length ? "No step was executed: all results were there." : "No step ran."}</p>
      )}
    </section>
  );
}
