/* Parameters and metrics: runs side by side, or a row each where there are many. */
import type { Comparison, Json, Num as Num_, RunSummary } from "../api";
import { Ago, allEqual, Delta, Duration, Empty, Grid, Num, RunLink, seriesVar, StatusMark, Table, Text, useSearch, Value, visible, type Column } from "../shared";
import { even, fitting, number, plain } from "../shared";

type MetricRow = Comparison["metrics"][number];

const ARROWS = { higher: "↑", lower: "↓", "": "" };

/** Which way is better, as a sign with words. */
function Way({ direction }: { direction: "" | "higher" | "lower" }) {
  return direction ? (
    <span className="faint" title={`${direction} is better`}>
      {" "}
      {ARROWS[direction]}
      <span className="unseen">{direction} is better</span>
    </span>
  ) : null;
}

const Best = () => (
  <span className="best" title="best">
    ★<span className="unseen">best</span>
  </span>
);

/** The head of a run's column. */
export const runHead = (run: RunSummary, at: number) => (
  <span className="run-head" style={{ borderBottomColor: seriesVar(at) }}>
    <RunLink run={run.run} />
  </span>
);

export function Sides({ comparison, all }: { comparison: Comparison; all: boolean }) {
  const { runs } = comparison;
  const metrics = comparison.metrics.filter((row) => all || row.differs);
  const params = comparison.params.filter((row) => all || row.differs);
  const metricColumns: Column<MetricRow>[] = [
    { id: "name", head: "metric", stay: true, cell: (row) => (<><Text>{row.name}</Text><Way direction={row.direction} /></>) },
    ...runs.map((run, at): Column<MetricRow> => ({
      id: run.run,
      head: runHead(run, at),
      align: "right",
      cell: (row) => (
        <>
          {row.best.includes(run.run) && row.differs && <Best />}
          <Num value={row.values[run.run]} column />
          {at > 0 && <Delta value={row.deltas[run.run]} direction={row.direction} />}
        </>
      ),
    })),
  ];
  return (
    <>
      <section>
        <h2>Runs</h2>
        <Facts comparison={comparison} />
      </section>
      <section>
        <h2>Metrics</h2>
        {metrics.length ? (
          <Table columns={metricColumns} rows={metrics} rowKey={(row) => row.name} caption="metrics" />
        ) : comparison.metrics.length ? (
          <p className="faint">{allEqual(comparison.metrics.length, "metric")}</p>
        ) : (
          <Empty title="No metrics" command={'log.metric("auc", 0.91)'}>
            A step records numbers with stepwell.log; they are compared here.
          </Empty>
        )}
      </section>
      <section>
        <h2>Parameters</h2>
        {params.length ? (
          <Table
            columns={[
              { id: "name", head: "parameter", stay: true, cell: (row) => <Text>{row.name}</Text> },
              ...runs.map((run, at): Column<Comparison["params"][number]> => ({
                id: run.run,
                head: runHead(run, at),
                cell: (row) => <Param row={row} run={run.run} first={runs[0]?.run ?? ""} />,
              })),
            ]}
            rows={params}
            rowKey={(row) => row.name}
            caption="parameters"
          />
        ) : (
          <p className="faint">{comparison.params.length ? allEqual(comparison.params.length, "parameter") : "The pipeline has no parameters."}</p>
        )}
      </section>
    </>
  );
}

function Param({ row, run, first }: { row: Comparison["params"][number]; run: string; first: string }) {
  const value = row.values[run];
  if (value === undefined || (value === null && !(run in row.values))) return <span className="faint">–</span>;
  const other = JSON.stringify(value) !== JSON.stringify(row.values[first]);
  return (
    <span className={other ? "changed" : ""}>
      <Value value={value} />
    </span>
  );
}

/** When, how long, from which commit. */
function Facts({ comparison }: { comparison: Comparison }) {
  const { runs } = comparison;
  const rows: { name: string; cell: (run: RunSummary) => React.ReactNode }[] = [
    { name: "status", cell: (run) => <StatusMark status={run.status} word /> },
    { name: "pipeline", cell: (run) => <Text>{run.pipeline}</Text> },
    { name: "started", cell: (run) => <Ago time={run.started} /> },
    {
      name: "duration",
      cell: (run) => (
        <>
          <Duration seconds={run.seconds} since={run.started} />
          <Delta value={comparison.seconds.deltas[run.run]} />
        </>
      ),
    },
    { name: "commit", cell: (run) => (run.commit ? <code>{visible(run.commit.slice(0, 8)) + (run.dirty ? "+" : "")}</code> : <span className="faint">–</span>) },
    { name: "tags", cell: (run) => visible(run.tags.join(", ")) },
  ];
  const shown = rows.filter((row) => (row.name === "tags" ? runs.some((run) => run.tags.length) : row.name !== "pipeline" || new Set(runs.map((run) => run.pipeline)).size > 1));
  return (
    <Table
      columns={[
        { id: "name", head: <span className="unseen">fact</span>, stay: true, cell: (row) => <span className="faint">{row.name}</span> },
        ...runs.map((run, at): Column<(typeof rows)[number]> => ({ id: run.run, head: runHead(run, at), cell: (row) => row.cell(run) })),
      ]}
      rows={shown}
      rowKey={(row) => row.name}
      caption="runs"
    />
  );
}

/** A row a run: what varies, and the metrics. */
export function ManyRuns({ comparison, all }: { comparison: Comparison; all: boolean }) {
  const [search, set] = useSearch();
  const order = search.get("sort") ?? "";
  const metrics = comparison.metrics.filter((row) => all || row.differs);
  const params = comparison.params.filter((row) => all || row.differs);
  const runs = ordered(comparison, order);
  const place = new Map(comparison.runs.map((run, at) => [run.run, at]));
  const first = comparison.runs[0]?.run ?? "";
  const columns: Column<RunSummary>[] = [
    {
      id: "run",
      head: "run",
      stay: true,
      width: "96px",
      sort: "run",
      cell: (run) => (
        <>
          <span className="swatch" style={{ background: seriesVar(place.get(run.run) ?? 0) }} />
          <RunLink run={run.run} />
        </>
      ),
    },
    { id: "status", head: "status", width: "112px", sort: "status", cell: (run) => <StatusMark status={run.status} word /> },
    { id: "seconds", head: "took", width: "104px", sort: "seconds", align: "right", cell: (run) => <Duration seconds={run.seconds} since={run.started} /> },
    ...params.map((row): Column<RunSummary> => ({
      id: `params.${row.name}`,
      head: <Text>{row.name}</Text>,
      width: fitting(row.name, runs.map((run) => plain(row.values[run.run] ?? undefined))),
      sort: `params.${row.name}`,
      cell: (run) => <Param row={row} run={run.run} first={first} />,
    })),
    ...metrics.map((row): Column<RunSummary> => ({
      id: `metrics.${row.name}`,
      head: (
        <>
          <Text>{row.name}</Text>
          <Way direction={row.direction} />
        </>
      ),
      width: fitting(`${row.name} ↑ `, runs.map((run) => `★ ${even(row.values[run.run])}`)),
      sort: `metrics.${row.name}`,
      align: "right",
      cell: (run) => (
        <>
          {row.best.includes(run.run) && row.differs && <Best />}
          <Num value={row.values[run.run]} column />
        </>
      ),
    })),
    { id: "rest", head: null, label: "more", width: "minmax(0, 1fr)", cell: () => null },
  ];
  return (
    <section>
      <h2>Parameters and metrics</h2>
      <div className="many-runs" style={{ height: Math.min(640, 34 + runs.length * 30 + 18) }}>
        <Grid columns={columns} count={runs.length} row={(at) => runs[at]} rowKey={(run) => run.run} caption="runs with parameters and metrics" order={order} onOrder={(sort) => set({ sort })} />
      </div>
    </section>
  );
}

/** The runs in the order of a column; those without a value come last. */
export function ordered(comparison: Comparison, order: string): RunSummary[] {
  if (!order) return comparison.runs;
  const down = order.startsWith("-");
  const name = order.replace(/^-/, "");
  const value = valueOf(comparison, name);
  return [...comparison.runs].sort((a, b) => {
    const [one, two] = [value(a), value(b)];
    if (one === null || two === null) return one === two ? 0 : one === null ? 1 : -1;
    const less = typeof one === "number" && typeof two === "number" ? one - two : String(one).localeCompare(String(two), "en", { numeric: true });
    return down ? -less : less;
  });
}

function valueOf(comparison: Comparison, name: string): (run: RunSummary) => number | string | null {
  const numeric = (value: Json | Num_ | null | undefined) => {
    if (value === null || value === undefined) return null;
    if (typeof value === "number") return value;
    return typeof value === "string" ? value : JSON.stringify(value);
  };
  if (name.startsWith("metrics.")) {
    const row = comparison.metrics.find((one) => one.name === name.slice(8));
    return (run) => {
      const found = number(row?.values[run.run]);
      return Number.isNaN(found) ? null : found;
    };
  }
  if (name.startsWith("params.")) {
    const row = comparison.params.find((one) => one.name === name.slice(7));
    return (run) => numeric(row?.values[run.run]);
  }
  if (name === "seconds") return (run) => run.seconds;
  if (name === "status") return (run) => run.status;
  return (run) => Number(run.run.replace(/^\D+/, ""));
}
