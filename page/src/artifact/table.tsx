/* A table: its columns with what is in them, and its rows, page by page. */

import type { Column, Json, Preview } from "../api";
import { type Column as Head, many, num, number, plain, Table, Text, visible } from "../shared";
import { Histogram } from "./histogram";

/** Rows of a page. */
export const ROWS = 50;
/** Columns whose values are shown; the list of columns has all. */
const WIDE = 60;

type Shown = Preview & { kind: "table" };

export function TableView({ preview, small, page }: { preview: Shown; small: boolean; page?: (offset: number) => void }) {
  return (
    <>
      <p className="faint">
        <span className="num">{many(preview.rows, "row")}</span>, <span className="num">{many(preview.columns.length, "column")}</span>
        {preview.sampled !== null && <>; the columns are described by a sample of {many(preview.sampled, "row")}</>}
      </p>
      {!small && <Described columns={preview.columns} />}
      <Rows preview={preview} small={small} page={page} />
    </>
  );
}

function Described({ columns }: { columns: Column[] }) {
  const heads: Head<Column>[] = [
    { id: "name", head: "column", stay: true, cell: (column) => <Text>{column.name}</Text> },
    { id: "type", head: "type", cell: (column) => <code>{visible(column.type)}</code> },
    ...(columns.some((column) => column.unit) ? [{ id: "unit", head: "unit", cell: (column: Column) => <Text>{column.unit}</Text> }] : []),
    { id: "nulls", head: "missing", align: "right", cell: (column) => <Share of={column.nulls} /> },
    { id: "distinct", head: "distinct", align: "right", cell: (column) => <span className="num">{column.distinct === null ? "" : num(column.distinct)}</span> },
    { id: "mean", head: "mean", align: "right", cell: (column) => <span className="num">{num(column.mean)}</span> },
    ...[0, 1, 2, 3, 4].map(
      (i): Head<Column> => ({ id: `q${i}`, head: ["least", "25 %", "median", "75 %", "most"][i], align: "right", cell: (column) => <span className="num">{num(column.quantiles?.[i])}</span> }),
    ),
    { id: "spread", head: "values", cell: (column) => <Spread column={column} /> },
  ];
  return (
    <section>
      <h2>Columns</h2>
      <Table caption="columns" columns={heads} rows={columns} rowKey={(column, i) => `${i} ${column.name}`} />
    </section>
  );
}

function Share({ of }: { of: number }) {
  if (of === 0) return <span className="faint">none</span>;
  const text = of < 0.001 ? "< 0.1 %" : `${(of * 100).toFixed(of < 0.1 ? 1 : 0)} %`;
  return <span className={of > 0.2 ? "num odd" : "num"}>{text}</span>;
}

function Spread({ column }: { column: Column }) {
  if (column.histogram) return <Histogram of={column.histogram} width={130} height={26} label={`values of ${visible(column.name)}`} />;
  if (!column.top || column.top.length === 0) return null;
  const all = column.top.slice(0, 3);
  return (
    <span className="top-values">
      {all.map(([value, count], i) => (
        <span key={i}>
          <Text>{value.slice(0, 40)}</Text> <span className="faint num">{num(count)}</span>
        </span>
      ))}
      {column.top.length > all.length && <span className="faint">…</span>}
    </span>
  );
}

function Rows({ preview, small, page }: { preview: Shown; small: boolean; page?: (offset: number) => void }) {
  const shown = preview.columns.slice(0, small ? 8 : WIDE);
  const columns: Head<Json[]>[] = [
    { id: "row", head: "", label: "row", stay: true, align: "right", cell: (_, i) => <span className="faint num">{preview.offset + i}</span> },
    ...shown.map(
      (column, i): Head<Json[]> => ({ id: `c${i}`, head: <Text>{column.name}</Text>, align: column.quantiles ? "right" : undefined, cell: (row) => <Cell value={row[i]} /> }),
    ),
  ];
  const last = preview.offset + preview.head.length;
  return (
    <section>
      {!small && <h2>Rows</h2>}
      {page && preview.rows > preview.head.length && (
        <div className="bar">
          <button type="button" disabled={preview.offset === 0} onClick={() => page(Math.max(0, preview.offset - ROWS))}>
            earlier rows
          </button>
          <span className="num">
            {num(preview.offset)} to {num(Math.max(preview.offset, last - 1))} of {num(preview.rows)}
          </span>
          <button type="button" disabled={last >= preview.rows || preview.head.length === 0} onClick={() => page(preview.offset + ROWS)}>
            later rows
          </button>
        </div>
      )}
      <Table caption="rows" columns={columns} rows={small ? preview.head.slice(0, 8) : preview.head} rowKey={(_, i) => String(preview.offset + i)} />
      {preview.columns.length > shown.length && <p className="faint">{many(preview.columns.length - shown.length, "more column")}</p>}
    </section>
  );
}

function Cell({ value }: { value: Json | undefined }) {
  if (value === null || value === undefined) return <span className="faint">none</span>;
  if (value === "NaN") return <span className="num odd">NaN</span>;
  const text = plain(value);
  const long = text.length > 80;
  return (
    <span className={typeof value === "number" && Number.isFinite(number(value)) ? "num" : undefined} title={long ? text.slice(0, 2000) : undefined}>
      {long ? `${text.slice(0, 80)}…` : text}
    </span>
  );
}
