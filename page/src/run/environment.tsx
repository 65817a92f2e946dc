/* What a run stood on: its sources and what the lock says of them, the interpreter, the installed distributions. */

import { useMemo } from "react";
import type { Environment, Json, LockPage, RunPage, Source } from "../api";
import { useAsk } from "../client";
import { Asked, Bytes, type Column, Digest, Empty, Link, Pairs, Table, Text, to, useSearch, visible } from "../shared";
import { address } from "./asking";
import type { TabProps } from "./index";

export function EnvironmentTab({ run }: TabProps) {
  return (
    <>
      <Sources run={run} />
      <section>
        <h2>Interpreter</h2>
        <Pairs
          pairs={[
            ["Python", run.python || "not known"],
            ["platform", run.platform || "not known"],
          ]}
        />
      </section>
      <Distributions run={run.run} />
    </>
  );
}

function Sources({ run }: { run: RunPage }) {
  const lock = useAsk<LockPage>("/lock");
  const digests = useMemo(() => textsOf(lock.data?.lock ?? null), [lock.data]);
  const columns: Column<Source>[] = [
    {
      id: "name",
      head: "source",
      cell: (source) => (
        <Link to={to.data(source.name)}>
          <Text>{source.name}</Text>
        </Link>
      ),
    },
    { id: "uri", head: "address", cell: (source) => <Text>{source.uri}</Text> },
    { id: "digest", head: "digest", cell: (source) => <Digest digest={source.digest} /> },
    { id: "size", head: "size", align: "right", cell: (source) => <Bytes size={source.size} /> },
    ...(lock.data?.exists
      ? ([{ id: "lock", head: visible(lock.data.file.split("/").pop() || "stepwell.lock"), cell: (source) => (digests.has(source.digest) ? "as locked" : <span className="odd">other data than locked</span>) }] as Column<Source>[])
      : []),
  ];
  return (
    <section>
      <h2>Data</h2>
      {run.sources.length === 0 ? <p className="faint">This run read no sources.</p> : <Table caption="sources" columns={columns} rows={run.sources} rowKey={(source, i) => `${source.name} ${i}`} />}
      {lock.data && !lock.data.exists && run.sources.length > 0 && <p className="faint">Nothing is locked: <code>stepwell lock</code> writes down what these are.</p>}
    </section>
  );
}

/** All texts in a document. */
function textsOf(value: Json): Set<string> {
  const found = new Set<string>();
  const look = (one: Json): void => {
    if (typeof one === "string") found.add(one);
    else if (Array.isArray(one)) one.forEach(look);
    else if (typeof one === "object" && one !== null) Object.values(one).forEach(look);
  };
  look(value);
  return found;
}

function Distributions({ run }: { run: string }) {
  const [search, set] = useSearch();
  const find = search.get("find") ?? "";
  const query = useAsk<Environment>(address(run, "/environment"));
  return (
    <section>
      <h2>Distributions behind the steps</h2>
      <Asked query={query}>
        {(environment) => {
          const all = Object.entries(environment.distributions).sort(([a], [b]) => a.localeCompare(b));
          const rows = all.filter(([name]) => name.toLowerCase().includes(find.trim().toLowerCase()));
          if (all.length === 0) return <Empty title="Its steps stood on no distributions but Python's own" />;
          return (
            <>
              <div className="bar">
                <input type="search" aria-label="find distributions" placeholder="name" value={find} onChange={(event) => set({ find: event.target.value })} />
              </div>
              <Table
                caption="distributions"
                rows={rows}
                rowKey={([name]) => name}
                columns={[
                  { id: "name", head: "distribution", cell: ([name]) => <Text>{name}</Text> },
                  { id: "version", head: "version", cell: ([, version]) => <Text>{version}</Text> },
                ]}
              />
            </>
          );
        }}
      </Asked>
    </section>
  );
}
