/* What a run made: what its steps recorded, to look at, and what they gave, as a table. */

import { useEffect, useMemo, useRef, useState } from "react";
import type { Output, Preview, Recorded, RunPage, Step } from "../api";
import { PreviewView } from "../artifact/preview";
import { query, useAsk } from "../client";
import { Asked, Bytes, type Column, Empty, Grid, Link, many, Text, to, useSearch, visible } from "../shared";
import type { TabProps } from "./index";
import { StepButton } from "./words";

interface Row extends Output {
  step: Step;
  place: number;
}

export function ArtifactsTab({ run, chosen, choose }: TabProps) {
  const [search, set] = useSearch();
  const find = (search.get("find") ?? "").trim().toLowerCase();
  const ids = useMemo(() => new Map(run.steps.map((step) => [step.node, step.id])), [run.steps]);
  const recorded = useMemo(
    () => run.recorded.filter((one) => SHOWN.has(one.kind) && (!chosen || one.node === chosen.node) && `${one.name} ${ids.get(one.node)}`.toLowerCase().includes(find)),
    [run.recorded, chosen, ids, find],
  );
  const rows = useMemo(() => outputs(chosen ? [chosen] : run.steps, find), [run.steps, chosen, find]);
  const columns: Column<Row>[] = useMemo(
    () => [
      { id: "step", head: "step", width: "minmax(150px, 1fr)", stay: true, cell: (row) => <StepButton id={row.step.id} choose={choose} /> },
      { id: "name", head: "output", width: "minmax(110px, 1fr)", cell: (row) => <Text>{row.name || "output"}</Text> },
      {
        id: "artifact",
        head: "kind",
        width: "minmax(120px, 1fr)",
        cell: (row) => (
          <Link to={to.artifact(row.digest, row.codec)}>
            <Text>{row.codec}</Text>
          </Link>
        ),
      },
      { id: "size", head: "size", width: "90px", align: "right", cell: (row) => <Bytes size={row.size} /> },
      { id: "note", head: "note", width: "minmax(160px, 2fr)", cell: (row) => <Text>{row.note}</Text> },
    ],
    [choose],
  );
  return (
    <>
      <div className="bar">
        <input type="search" aria-label="find artifacts" placeholder="step or name" value={search.get("find") ?? ""} onChange={(event) => set({ find: event.target.value })} />
        <span className="faint">
          {many(recorded.length, "recorded thing")}, {many(rows.length, "output")}
          {chosen && (
            <>
              {" "}
              of <Text>{chosen.id}</Text>
            </>
          )}
        </span>
      </div>
      {recorded.length > 0 && <Recordings recorded={recorded} run={run} named />}
      {rows.length > 0 ? (
        <section>
          <h2>Outputs</h2>
          <Grid className="outputs-grid" caption="outputs of the steps" columns={columns} count={rows.length} row={(index) => rows[index]} rowKey={(row) => `${row.step.node} ${row.place}`} />
        </section>
      ) : (
        recorded.length === 0 && (
          <Empty title={run.status === "running" ? "Nothing was made yet" : "This run made nothing"}>
            What steps return is kept as outputs; <code>log.figure</code>, <code>log.table</code>, <code>log.text</code> and <code>log.card</code> record more.
          </Empty>
        )
      )}
    </>
  );
}

const SHOWN: ReadonlySet<Recorded["kind"]> = new Set(["figure", "table", "text", "card"]);

function outputs(steps: readonly Step[], find: string): Row[] {
  const all = steps.flatMap((step) => step.outputs.map((output, place) => ({ ...output, step, place })));
  return find ? all.filter((row) => `${row.step.id} ${row.name} ${row.codec}`.toLowerCase().includes(find)) : all;
}

/** What was recorded, as cards; things of one name that were recorded at several steps are one card with a slider. */
export function Recordings({ recorded, run, named }: { recorded: Recorded[]; run: RunPage; named: boolean }) {
  const series = useMemo(() => {
    const found = new Map<string, Recorded[]>();
    for (const one of recorded.filter((each) => SHOWN.has(each.kind))) {
      const key = `${one.node} ${one.kind} ${one.name}`;
      found.set(key, [...(found.get(key) ?? []), one]);
    }
    return [...found].map(([key, of]) => ({ key, of: of.sort((a, b) => (a.step ?? 0) - (b.step ?? 0)) }));
  }, [recorded]);
  const ids = useMemo(() => new Map(run.steps.map((step) => [step.node, step.id])), [run.steps]);
  return (
    <div className="gallery">
      {series.map((one) => (
        <Card key={one.key} series={one.of} id={named ? (ids.get(one.of[0]?.node ?? -1) ?? "") : ""} />
      ))}
    </div>
  );
}

function Card({ series, id }: { series: Recorded[]; id: string }) {
  const [at, setAt] = useState<number | null>(null);
  const place = Math.min(at ?? series.length - 1, series.length - 1);
  const one = series[place] as Recorded;
  const [box, seen] = useSeen();
  return (
    <figure className={`panel card card-${one.kind}`} ref={box}>
      <figcaption>
        <b>{one.digest ? <Link to={to.artifact(one.digest, one.codec)}><Text>{one.name}</Text></Link> : <Text>{one.name}</Text>}</b>
        {id && (
          <span className="faint">
            {" "}
            <Text>{id}</Text>
          </span>
        )}
        {series.length > 1 && (
          <label className="tick">
            <input type="range" min={0} max={series.length - 1} value={place} onChange={(event) => setAt(Number(event.target.value))} aria-label={`which of ${visible(one.name)}`} />
            <span className="num">step {one.step ?? place}</span>
          </label>
        )}
      </figcaption>
      {seen && (one.digest ? <Previewed digest={one.digest} codec={one.codec} name={one.name} /> : <p className="lines recorded-text">{one.text}</p>)}
    </figure>
  );
}

/** What can be shown of an artifact, asked for when it is drawn. */
export function Previewed({ digest, codec, name }: { digest: string; codec: string; name: string }) {
  const path = `/artifacts/${encodeURIComponent(digest)}/preview${query({ codec, rows: 8 })}`;
  const asked = useAsk<Preview>(path, { keep: true, fresh: 600_000 });
  return <Asked query={asked}>{(preview) => <PreviewView preview={preview} name={name} small />}</Asked>;
}

/** Whether a box was in view: what is further below is not asked for. */
function useSeen(): [React.RefObject<HTMLElement | null>, boolean] {
  const box = useRef<HTMLElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (!box.current || seen) return;
    const watch = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && setSeen(true), { rootMargin: "400px" });
    watch.observe(box.current);
    return () => watch.disconnect();
  }, [seen]);
  return [box, seen];
}
