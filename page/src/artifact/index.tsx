/* The page of an artifact: what it is, which run made it, from what, and what was made from it. */

import { useCallback } from "react";
import type { ArtifactPage as Page, Lineage, Preview } from "../api";
import { query, useAsk } from "../client";
import { Asked, Bytes, type Column, Copy, Digest, Empty, Link, many, RunLink, short, Table, Text, to, useSearch, useTitle, visible } from "../shared";
import { PreviewView } from "./preview";
import { ROWS } from "./table";
import "./artifact.css";

export default function ArtifactPage({ digest }: { digest: string }) {
  const [search] = useSearch();
  const codec = search.get("codec") ?? "";
  const path = `/artifacts/${encodeURIComponent(digest)}`;
  const asked = useAsk<Page>(`${path}${query({ codec })}`);
  useTitle(`artifact ${short(digest)}`);
  return (
    <Asked query={asked}>
      {(page) => (
        <>
          <Head page={page} />
          {page.here ? (
            <Shown path={path} codec={codec || page.codec} first={page.preview} name={nameOf(page)} />
          ) : (
            <Empty title="Its bytes are not in the store any more">What made it, and what it was made from, is still known.</Empty>
          )}
          <div className="lineage">
            <Line title="Made from" none="It was made from nothing that is kept." lines={page.from} />
            <Line title="Made from it" none="Nothing was made from it." lines={page.into} />
          </div>
        </>
      )}
    </Asked>
  );
}

const nameOf = (page: Page): string => (page.made ? `${page.made.id} ${page.made.output}`.trim() : short(page.digest));

function Head({ page }: { page: Page }) {
  const { made } = page;
  return (
    <header className="page-head">
      <div className="page-title">
        <h1>{made ? <Text>{nameOf(page)}</Text> : "Artifact"}</h1>
        <span className="tag">{visible(page.codec)}</span>
        <Bytes size={page.size} />
        <span className="grow" />
        <Copy text={page.digest} label="copy the digest" />
      </div>
      <p className="faint">
        <code>{visible(page.digest)}</code>
      </p>
      {made && (
        <p>
          Made by{" "}
          <Link to={to.step(made.step)}>
            <Text>{made.step}</Text>
          </Link>{" "}
          in <RunLink run={made.run} search={`?step=${encodeURIComponent(made.id)}`} />
        </p>
      )}
    </header>
  );
}

/** The preview; other rows of a table are asked for as one goes on, and are in the address. */
function Shown({ path, codec, first, name }: { path: string; codec: string; first: Preview; name: string }) {
  const [search, set] = useSearch();
  const offset = Math.max(0, Math.floor(Number(search.get("row") ?? 0)) || 0);
  const other = first.kind === "table" && offset > 0;
  const asked = useAsk<Preview>(other ? `${path}/preview${query({ codec, rows: ROWS, offset })}` : null, { keep: true, fresh: 600_000 });
  const page = useCallback((row: number) => set({ row: row > 0 ? String(row) : null }), [set]);
  if (!other) return <PreviewView preview={first} name={name} page={page} />;
  return <Asked query={asked}>{(preview) => <PreviewView preview={preview} name={name} page={page} />}</Asked>;
}

function Line({ title, none, lines }: { title: string; none: string; lines: Lineage[] }) {
  const columns: Column<Lineage>[] = [
    {
      id: "name",
      head: "what",
      cell: (one) => (
        <span className={`depth-${Math.min(one.depth, 8)}`}>
          {one.kind === "source" ? (
            <Link to={to.data(one.name)}>
              <Text>{one.name}</Text>
            </Link>
          ) : (
            <Text>{one.id ? `${one.id} ${one.name}`.trim() : one.name}</Text>
          )}
        </span>
      ),
    },
    { id: "kind", head: "kind", cell: (one) => (one.kind === "source" ? "source" : <Text>{one.codec}</Text>) },
    { id: "digest", head: "digest", cell: (one) => <Digest digest={one.digest} codec={one.codec} link={one.kind === "artifact"} /> },
    { id: "run", head: "run", cell: (one) => one.run && <RunLink run={one.run} search={one.id ? `?step=${encodeURIComponent(one.id)}` : ""} /> },
  ];
  return (
    <section>
      <h2>
        {title} {lines.length > 0 && <span className="faint">{many(lines.length, "thing")}</span>}
      </h2>
      {lines.length === 0 ? <p className="faint">{none}</p> : <Table caption={title} columns={columns} rows={lines} rowKey={(one, i) => `${i} ${one.digest}`} />}
    </section>
  );
}
