/* The data that runs read: each source, its versions over time, and who read them. */
import type { DataList, DataPage as Page, DataSummary, Json } from "../api";
import { again, useAsk } from "../client";
import { Ago, Asked, Bytes, Copy, Digest, Empty, Link, many, Pairs, plain, RunLink, short, Table, Text, to, useEvents, useSearch, useSlowly, useTitle, visible, type Column } from "../shared";

export default function DataPage({ name }: { name: string }) {
  const renew = useSlowly(() => again("/data"), 2000);
  useEvents("/events", { change: renew });
  return name ? <One name={name} /> : <All />;
}

/** How what was read last stands to what is locked. */
function Locked({ data }: { data: DataSummary }) {
  if (!data.locked) return <span className="faint">not locked</span>;
  if (!data.digest || data.locked === data.digest) return <span className="better">as locked</span>;
  return (
    <span className="odd" title={`locked: ${visible(data.locked)}`}>
      other than locked
    </span>
  );
}

const COLUMNS: Column<DataSummary>[] = [
  {
    id: "name",
    head: "name",
    stay: true,
    sort: "name",
    cell: (row) => (
      <Link to={to.data(row.name)}>
        <Text>{row.name}</Text>
      </Link>
    ),
  },
  { id: "uri", head: "from", sort: "uri", cell: (row) => <span className="uri" title={visible(row.uri)}>{visible(row.uri)}</span> },
  { id: "versions", head: "versions", align: "right", sort: "versions", cell: (row) => <span className="num">{row.versions}</span> },
  { id: "digest", head: "digest", cell: (row) => <Digest digest={row.digest} link={false} /> },
  { id: "size", head: "size", align: "right", sort: "size", cell: (row) => <Bytes size={row.size} /> },
  { id: "last", head: "read last by", sort: "last", cell: (row) => (row.last ? <RunLink run={row.last} /> : <span className="faint">–</span>) },
  { id: "locked", head: "lock", cell: (row) => <Locked data={row} /> },
  { id: "key", head: "key", cell: (row) => visible(row.key) },
];

/** What a column is put in order by. */
const by: Record<string, (row: DataSummary) => string | number> = {
  name: (row) => row.name,
  uri: (row) => row.uri,
  versions: (row) => row.versions,
  size: (row) => row.size,
  last: (row) => Number(row.last.slice(1) || 0),
};

function All() {
  useTitle("Data");
  const [search, set] = useSearch();
  const found = useAsk<DataList>("/data", { keep: true });
  const order = search.get("sort") ?? "name";
  const find = (search.get("q") ?? "").toLowerCase();
  return (
    <>
      <h1>Data</h1>
      <Asked query={found}>
        {({ data }) =>
          data.length === 0 ? (
            <Empty title="No data yet" command={['flights = source("flights.csv")', "stepwell run"]}>
              What pipelines read by source(...) is pinned to the digest of its content. Its versions, and the runs that read them, are listed here.
            </Empty>
          ) : (
            <>
              <div className="bar">
                <input type="search" aria-label="find data" placeholder="find data" value={search.get("q") ?? ""} onChange={(event) => set({ q: event.target.value })} />
                <span className="faint">{many(data.length, "source")}</span>
              </div>
              <Table columns={COLUMNS} rows={sorted(data, order).filter((row) => `${row.name} ${row.uri}`.toLowerCase().includes(find))} rowKey={(row) => row.name} caption="data" order={order} onOrder={(sort) => set({ sort })} />
            </>
          )
        }
      </Asked>
    </>
  );
}

function sorted(rows: DataSummary[], order: string): DataSummary[] {
  const value = by[order.replace(/^-/, "")] ?? ((row: DataSummary) => row.name);
  const sign = order.startsWith("-") ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [one, two] = [value(a), value(b)];
    return sign * (typeof one === "number" && typeof two === "number" ? one - two : String(one).localeCompare(String(two)));
  });
}

type Version = Page["history"][number];

function One({ name }: { name: string }) {
  useTitle(name);
  const found = useAsk<Page>(`/data/${encodeURIComponent(name)}`, { keep: true });
  return (
    <>
      <p className="crumbs">
        <Link to={to.data()}>Data</Link> /
      </p>
      <h1>
        <Text>{name}</Text>
      </h1>
      <Asked query={found}>
        {(page) => (
          <>
            {page.doc && <p className="lines doc">{page.doc}</p>}
            <dl className="facts">
              <dt>from</dt>
              <dd>
                <code>{visible(page.uri)}</code>
              </dd>
              <dt>digest</dt>
              <dd>
                <Digest digest={page.digest} length={32} link={false} /> {page.digest && <Copy text={page.digest} />}
              </dd>
              <dt>size</dt>
              <dd>
                <Bytes size={page.size} />
              </dd>
              <dt>lock</dt>
              <dd>
                <Locked data={page} />
              </dd>
              {page.key && <dt>key</dt>}
              {page.key && <dd>{visible(page.key)}</dd>}
              {Object.keys(page.units).length > 0 && <dt>units</dt>}
              {Object.keys(page.units).length > 0 && <dd>{visible(Object.entries(page.units).map(([column, unit]) => `${column} in ${unit}`).join(", "))}</dd>}
            </dl>
            <section>
              <h2>Versions over time</h2>
              {page.history.length > 1 && <Sizes history={page.history} locked={page.locked} />}
              {page.history.length ? <Table columns={versionColumns(page)} rows={page.history} rowKey={(row) => row.digest} caption="versions" /> : <p className="faint">No run has read it; it is in the lock.</p>}
            </section>
            {page.lock !== null && (
              <section>
                <h2>In the lock</h2>
                <Facts value={page.lock} />
              </section>
            )}
          </>
        )}
      </Asked>
    </>
  );
}

const versionColumns = (page: Page): Column<Version>[] => [
  {
    id: "digest",
    head: "digest",
    stay: true,
    cell: (row) => (
      <>
        <Digest digest={row.digest} link={false} />
        {row.digest === page.locked && <span className="tag">locked</span>}
        {row.digest === page.digest && <span className="tag">newest</span>}
      </>
    ),
  },
  { id: "size", head: "size", align: "right", cell: (row) => <Bytes size={row.size} /> },
  { id: "first", head: "first read by", cell: (row) => <RunLink run={row.first} /> },
  { id: "last", head: "last read by", cell: (row) => <RunLink run={row.last} /> },
  { id: "when", head: "last read", cell: (row) => <Ago time={row.started} /> },
  {
    id: "runs",
    head: "runs",
    cell: (row) => (
      <span className="run-list">
        {row.runs.slice(0, 12).map((run) => (
          <RunLink key={run} run={run} />
        ))}
        {row.runs.length > 12 && <span className="faint">and {row.runs.length - 12} more</span>}
        {row.runs.length > 1 && row.runs.length <= 12 && <Link to={to.compare(row.runs)}>compare</Link>}
      </span>
    ),
  },
];

/** The sizes of the versions in the order of time: does it grow? */
function Sizes({ history, locked }: { history: Version[]; locked: string }) {
  const versions = [...history].sort((a, b) => a.started - b.started).slice(-60);
  const most = Math.max(1, ...versions.map((version) => version.size));
  const width = 14;
  return (
    <svg className="sizes" width={versions.length * (width + 4)} height={64} role="img" aria-label={`sizes of ${many(versions.length, "version")}`}>
      {versions.map((version, at) => (
        <rect key={version.digest} x={at * (width + 4)} width={width} y={60 - Math.max(3, (56 * version.size) / most)} height={Math.max(3, (56 * version.size) / most)} className={version.digest === locked ? "is-locked" : ""}>
          <title>{`${short(version.digest)} · ${many(version.size, "byte")} · ${version.first} to ${version.last}`}</title>
        </rect>
      ))}
    </svg>
  );
}

/** Plain data as names and values; what is within is indented. */
export function Facts({ value, depth = 0 }: { value: Json; depth?: number }) {
  if (value === null || typeof value !== "object" || depth > 6) return <span className="value">{plain(value)}</span>;
  if (Array.isArray(value) && value.every((one) => one === null || typeof one !== "object")) return <span className="value">{value.map((one) => plain(one)).join(", ")}</span>;
  const entries: [string, Json][] = Array.isArray(value) ? value.map((one, at) => [String(at), one]) : Object.entries(value);
  return (
    <Pairs pairs={entries.slice(0, 500).map(([key, one]) => [key, <Facts value={one} depth={depth + 1} />])} />
  );
}
