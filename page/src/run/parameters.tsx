/* The parameters of a run: each value and where it came from. */

import type { Json, RunPage } from "../api";
import { useAsk } from "../client";
import { type Column, Empty, Table, Text, Value, visible } from "../shared";
import { address } from "./asking";
import type { TabProps } from "./index";

interface Row {
  name: string;
  value: Json;
}

export function ParametersTab({ run }: TabProps) {
  const before = useAsk<RunPage>(run.previous ? address(run.previous) : null, { fresh: 600_000 });
  const rows: Row[] = Object.entries(run.params).map(([name, value]) => ({ name, value }));
  if (rows.length === 0)
    return (
      <Empty title="This pipeline has no parameters" command="stepwell run --set depth=5">
        Arguments of the pipeline's function are its parameters.
      </Empty>
    );
  const old = before.data?.params;
  const columns: Column<Row>[] = [
    { id: "name", head: "parameter", cell: (row) => <Text>{row.name}</Text> },
    { id: "value", head: "value", cell: (row) => <Long value={row.value} /> },
    { id: "origin", head: "came from", cell: (row) => <Origin origin={run.origins[row.name]} /> },
    ...(old
      ? ([{ id: "before", head: `in ${visible(run.previous)}`, cell: (row) => (same(old[row.name], row.value) ? <span className="faint">the same</span> : <Value value={old[row.name]} />) }] as Column<Row>[])
      : []),
  ];
  return <Table caption="parameters" columns={columns} rows={rows} rowKey={(row) => row.name} />;
}

const same = (one: Json | undefined, other: Json): boolean => JSON.stringify(one) === JSON.stringify(other);

/** A value as it is, over lines where it is long. */
function Long({ value }: { value: Json }) {
  if (typeof value !== "object" || value === null) return <Value value={value} />;
  const text = JSON.stringify(value, null, 2);
  return text.length < 60 ? <Value value={value} /> : <pre className="code parameter">{text.slice(0, 20_000).split("\n").map(visible).join("\n")}</pre>;
}

function Origin({ origin }: { origin: { layer: string; where: string } | undefined }) {
  if (!origin) return null;
  return (
    <>
      <Text>{origin.layer}</Text> <span className="faint">{visible(origin.where)}</span>
    </>
  );
}
