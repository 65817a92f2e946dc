/* The page of a run: everything about it on one address. What is shown is in the address: `tab`, `step` and what the tabs
 * add. A step that is chosen is told beside whatever tab is open.
 */

import { lazy, Suspense, useCallback, useMemo } from "react";
import type { RunPage as Run, Step } from "../api";
import { Refused } from "../client";
import { Empty, Problem, type TabDef, Tabs, Text, useKeys, useSearch, useTitle, Wait } from "../shared";
import { useRun } from "./asking";
import { ArtifactsTab } from "./artifacts";
import { CodeTab } from "./code";
import { EnvironmentTab } from "./environment";
import { Head } from "./head";
import { LogsTab } from "./logs";
import { MetricsTab } from "./metrics";
import { StepPanel } from "./panel";
import { ParametersTab } from "./parameters";
import { StepsTab } from "./steps";
import { TimelineTab } from "./timeline_tab";
import "./run.css";

export { StepPage } from "./history";

const GraphTab = lazy(() => import("./graph"));

/** What each tab gets: the run, the step that is chosen, and how to choose one. */
export interface TabProps {
  run: Run;
  chosen: Step | null;
  choose: (id: string | null) => void;
  /** Grows whenever the server tells of a change. */
  beat: number;
}

const TABS: (TabDef & { id: string })[] = [
  { id: "graph", label: "Graph" },
  { id: "steps", label: "Steps" },
  { id: "timeline", label: "Timeline" },
  { id: "logs", label: "Logs" },
  { id: "metrics", label: "Metrics" },
  { id: "artifacts", label: "Artifacts" },
  { id: "parameters", label: "Parameters" },
  { id: "code", label: "Code" },
  { id: "environment", label: "Environment" },
];

export default function RunPage({ run }: { run: string }) {
  const { query, beat } = useRun(run);
  useTitle(query.data ? `${query.data.run} ${query.data.pipeline}` : run);
  if (query.data === undefined) return query.error ? <Problem error={query.error} /> : <Wait />;
  return (
    <>
      {query.error instanceof Refused && <Gone error={query.error} run={query.data.run} />}
      <Shown run={query.data} beat={beat} />
    </>
  );
}

/** The run was there when the page was opened, and is not any more. */
function Gone({ error, run }: { error: Refused; run: string }) {
  return (
    <div className="run-gone">
      <p>
        <strong>{error.status === 404 ? `${run} is not in the store any more.` : `${run} cannot be asked for any more.`}</strong> What you
        see below is what was known of it before.
      </p>
      <Problem error={error} />
    </div>
  );
}

function Shown({ run, beat }: { run: Run; beat: number }) {
  const [search, set] = useSearch();
  const asked = search.get("tab") ?? "";
  const tab = TABS.some((one) => one.id === asked) ? asked : "graph";
  const wanted = search.get("step");
  const chosen = useMemo(() => run.steps.find((step) => step.id === wanted) ?? null, [run.steps, wanted]);
  const choose = useCallback((id: string | null) => set({ step: id }), [set]);
  // What is searched for in one tab means nothing in the next; the step stays.
  const go = (to: string) => to !== tab && set({ tab: to === "graph" ? null : to, find: null, line: null, sort: null }, false);
  useKeys([
    ...TABS.map((one, i) => ({ keys: String(i + 1), what: `${String(one.label).toLowerCase()} of the run`, act: () => go(one.id) })),
    { keys: "Escape", what: "close the step", act: () => choose(null) },
    { keys: "/", what: "search", act: () => document.querySelector<HTMLInputElement>("#panel input[type=search]")?.focus() },
  ]);
  const props: TabProps = { run, chosen, choose, beat };
  return (
    <>
      <Head run={run} />
      <Tabs tabs={TABS} value={tab} onChange={go} label={`parts of ${run.run}`} />
      <div className={chosen || wanted ? "run-body with-step" : "run-body"}>
        <div id="panel" role="tabpanel" aria-label={tab} className={`run-tab run-tab-${tab}`}>
          <Suspense fallback={<Wait />}>
            <Tab tab={tab} {...props} />
          </Suspense>
        </div>
        {chosen && <StepPanel key={chosen.id} {...props} chosen={chosen} />}
        {wanted && !chosen && (
          <aside className="step-panel" aria-label="step">
            <Empty title="There is no such step">
              <p>
                This run has no step <Text>{wanted}</Text>.
              </p>
              <button type="button" onClick={() => choose(null)}>
                close
              </button>
            </Empty>
          </aside>
        )}
      </div>
    </>
  );
}

function Tab({ tab, ...props }: TabProps & { tab: string }) {
  switch (tab) {
    case "steps":
      return <StepsTab {...props} />;
    case "timeline":
      return <TimelineTab {...props} />;
    case "logs":
      return <LogsTab {...props} />;
    case "metrics":
      return <MetricsTab {...props} />;
    case "artifacts":
      return <ArtifactsTab {...props} />;
    case "parameters":
      return <ParametersTab {...props} />;
    case "code":
      return <CodeTab {...props} />;
    case "environment":
      return <EnvironmentTab {...props} />;
    default:
      return <GraphTab {...props} />;
  }
}
