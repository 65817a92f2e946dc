/* The top of a run's page: what became of it, with what, to what numbers, and what to type next. */

import type { Num as Number_, RunPage } from "../api";
import { useAsk } from "../client";
import { Ago, Command, Copy, Counts, Delta, Duration, Link, Num, number, RunLink, StatusMark, Tags, Text, to, Value, visible } from "../shared";
import { address } from "./asking";

/** Metrics that are shown above the tabs; all are in the tab of the metrics. */
const MOST = 8;

export function Head({ run }: { run: RunPage }) {
  return (
    <header className="page-head">
      <div className="page-title">
        <h1>
          <span className="num">{visible(run.run)}</span> <Text>{run.pipeline}</Text>
        </h1>
        <StatusMark status={run.status} word />
        <Duration seconds={run.seconds} since={run.status === "running" ? run.started : null} />
        <span className="faint">
          <Ago time={run.started} />
        </span>
        <Counts counts={counted(run)} />
        <span className="grow" />
        {run.previous && (
          <Link to={to.compare([run.previous, run.run])} className="button">
            compare with {visible(run.previous)}
          </Link>
        )}
      </div>
      <div className="run-facts">
        {run.commit && (
          <span>
            commit <code title={visible(run.commit)}>{visible(run.commit).slice(0, 10)}</code>
            {run.dirty && <span className="odd"> with changes</span>}
          </span>
        )}
        {run.group && (
          <Link to={to.runs(`?group=${encodeURIComponent(run.group)}`)}>
            point of sweep {visible(run.group)}
          </Link>
        )}
        {Object.entries(run.params)
          .slice(0, 12)
          .map(([name, value]) => (
            <span key={name} className={name in run.point ? "param varied" : "param"}>
              <Text>{name}</Text>=<Value value={value} />
            </span>
          ))}
        <Tags tags={run.tags} />
        {run.argv.length > 0 && <Copy text={typed(run.argv)} label="copy the command" />}
      </div>
      {run.resume && (
        <div className="resume" role="note">
          <span>
            {run.status === "interrupted" ? "This run was interrupted; what was finished is kept. Go on with" : "What was finished is kept. Go on with"}
          </span>
          <Command>{run.resume}</Command>
        </div>
      )}
      <Numbers run={run} />
    </header>
  );
}

/** How many steps have which status; a run that goes on counts its steps as they are now. */
function counted(run: RunPage): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const step of run.steps) {
    const status = step.reasons[0]?.kind === "kept" && step.status === "cached" ? "left" : step.status;
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

const typed = (argv: string[]): string =>
  argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");

function Numbers({ run }: { run: RunPage }) {
  const names = Object.keys(run.metrics);
  const before = useAsk<RunPage>(names.length > 0 && run.previous ? address(run.previous) : null, { fresh: 600_000 });
  if (names.length === 0) return null;
  return (
    <dl className="numbers" aria-label="metrics">
      {names.slice(0, MOST).map((name) => (
        <div key={name}>
          <dt title={visible(name)}>
            <Text>{name}</Text>
          </dt>
          <dd>
            <Num value={run.metrics[name]} />
            <Change now={run.metrics[name]} before={before.data?.metrics[name]} direction={run.directions[name] ?? ""} />
          </dd>
        </div>
      ))}
      {names.length > MOST && (
        <div className="faint">
          <dt>and</dt>
          <dd>{names.length - MOST} more</dd>
        </div>
      )}
      {before.data && (
        <div className="faint">
          <dt>against</dt>
          <dd>
            <RunLink run={run.previous} />
          </dd>
        </div>
      )}
    </dl>
  );
}

/** The difference of a metric to the run before; nothing where one of the two is no number. */
export function Change({ now, before, direction }: { now: Number_ | undefined; before: Number_ | undefined; direction: "" | "higher" | "lower" }) {
  const change = number(now) - number(before);
  return Number.isFinite(change) ? <Delta value={change} direction={direction} /> : null;
}
