/* All steps of a run as a table: the same as the graph, for reading and for whoever does not see a graph. */

import { useMemo } from "react";
import type { Step } from "../api";
import { Bytes, type Column, Empty, fitting, Grid, many, Num, StatusMark, Table, Text, useSearch, visible } from "../shared";
import type { TabProps } from "./index";
import { StepButton, Took, Why } from "./words";
import { ATTENTION, matching } from "./boxes";

export function StepsTab({ run, chosen, choose }: TabProps) {
  const [search, set] = useSearch();
  const text = search.get("find") ?? "";
  const order = search.get("sort") ?? "";
  const rows = useMemo(() => sorted(found(run.steps, text), order), [run.steps, text, order]);
  const columns = useMemo(() => columnsOf(run.steps, choose), [run.steps, choose]);
  if (run.steps.length === 0) return <Empty title="This run has no steps yet" />;
  return (
    <>
      <div className="bar">
        <input type="search" aria-label="find steps" placeholder="id or status" value={text} onChange={(event) => set({ find: event.target.value })} />
        <span className="faint">{rows.length === run.steps.length ? many(rows.length, "step") : `${rows.length} of ${many(run.steps.length, "step")}`}</span>
      </div>
      <Grid
        className="steps-grid"
        caption="steps"
        columns={columns}
        count={rows.length}
        row={(index) => rows[index]}
        rowKey={(step) => String(step.node)}
        rowClass={(step) => (step.node === chosen?.node ? "ticked" : "")}
        order={order}
        onOrder={(sort) => set({ sort })}
      />
    </>
  );
}

/** Steps up to which they stand as a table below their graph. */
export const FEW = 30;

const TOLD: ReadonlySet<string> = new Set(["status", "id", "role", "why", "seconds"]);

/** The steps of a small run, all of them, with what is not drawn in the graph. */
export function FewSteps({ run, choose }: Pick<TabProps, "run" | "choose">) {
  const columns = useMemo(() => columnsOf(run.steps, choose).filter((column) => TOLD.has(column.id)), [run.steps, choose]);
  return (
    <section className="few-steps">
      <Table caption="steps of the run" columns={columns} rows={run.steps} rowKey={(step) => String(step.node)} />
    </section>
  );
}

function found(steps: Step[], text: string): Step[] {
  if (!text.trim()) return steps;
  const hits = matching(steps, text);
  return steps.filter((step) => hits.has(step.node));
}

const VALUES: Record<string, (step: Step) => number | string> = {
  status: (step) => ATTENTION.indexOf(step.status),
  id: (step) => step.id,
  seconds: (step) => step.seconds ?? -1,
  cpu: (step) => step.cpu ?? -1,
  memory: (step) => step.memory ?? -1,
};

function sorted(steps: Step[], order: string): Step[] {
  const value = VALUES[order.replace(/^-/, "")];
  if (!value) return steps;
  const way = order.startsWith("-") ? -1 : 1;
  return [...steps].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return way * (typeof x === "number" ? x - (y as number) : x.localeCompare(y as string, "en", { numeric: true }));
  });
}

function columnsOf(steps: Step[], choose: (id: string) => void): Column<Step>[] {
  const metrics = [...new Set(steps.flatMap((step) => Object.keys(step.metrics)))].slice(0, 6);
  const roles = steps.some((step) => step.role);
  return [
    { id: "status", head: "status", sort: "status", width: "120px", cell: (step) => <StatusMark status={step.status} word /> },
    { id: "id", head: "step", sort: "id", width: "minmax(160px, 1fr)", stay: true, cell: (step) => <StepButton id={step.id} choose={choose} /> },
    ...(roles ? [{ id: "role", head: "role", width: "110px", cell: (step: Step) => <Text>{step.role}</Text> }] : []),
    { id: "why", head: "why", width: "minmax(220px, 2fr)", cell: (step) => <Why step={step} /> },
    { id: "seconds", head: "time", sort: "seconds", width: "100px", align: "right", cell: (step) => <Took step={step} /> },
    { id: "memory", head: "memory", sort: "memory", width: "90px", align: "right", cell: (step) => <Bytes size={step.memory} /> },
    ...metrics.map(
      (name): Column<Step> => ({ id: `m:${name}`, head: <span title={visible(name)}>{visible(name)}</span>, width: fitting(name, [], 12), align: "right", cell: (step) => <Num value={step.metrics[name]} /> }),
    ),
  ];
}
