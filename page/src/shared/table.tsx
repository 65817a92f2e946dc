/* Tables: a plain one for what fits, and a grid of which only the rows that are seen exist. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useLayoutEffect, useRef, type CSSProperties, type ReactNode } from "react";

export interface Column<Row> {
  id: string;
  head: ReactNode;
  cell: (row: Row, index: number) => ReactNode;
  width?: string; // as grid-template-columns takes it
  align?: "right";
  sort?: string; // the order that a press of the head asks for
  stay?: boolean; // stays at the left when the rest is moved
  label?: string; // of the head, where it has no text
}

/** The width of a column that fits its head and its texts, within bounds: rows of a grid do not know each other's widths. */
export function fitting(head: string, texts: string[], least = 8, most = 26): string {
  const longest = Math.max(head.length + 2, ...texts.map((text) => text.length));
  return `${Math.round(Math.min(most, Math.max(least, longest)) * 7.4) + 20}px`;
}

/** The order that a press of a head gives: first the bigger ones for numbers, then the other way. */
export const turned = (now: string, sort: string, down = true): string => (now === `-${sort}` ? sort : now === sort ? `-${sort}` : down ? `-${sort}` : sort);

function Head<Row>({ column, order, onOrder }: { column: Column<Row>; order?: string; onOrder?: (order: string) => void }) {
  if (!column.sort || !onOrder) return <>{column.head ?? <span className="unseen">{column.label}</span>}</>;
  const way = order === `-${column.sort}` ? "▾" : order === column.sort ? "▴" : "";
  return (
    <button type="button" className="head" onClick={() => onOrder(turned(order ?? "", column.sort ?? "", column.align === "right"))}>
      {way && column.align === "right" && <span aria-hidden="true">{way}</span>}
      <span>{column.head}</span>
      {way && column.align !== "right" && <span aria-hidden="true">{way}</span>}
    </button>
  );
}

const sorted = (order: string | undefined, sort: string | undefined): "ascending" | "descending" | undefined =>
  !sort ? undefined : order === sort ? "ascending" : order === `-${sort}` ? "descending" : undefined;

/** A plain table. */
export function Table<Row>({
  columns,
  rows,
  rowKey,
  caption,
  order,
  onOrder,
}: {
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row, index: number) => string;
  caption: string;
  order?: string;
  onOrder?: (order: string) => void;
}) {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table className="table">
        <caption className="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.id} scope="col" className={css(column)} aria-sort={sorted(order, column.sort)}>
                <Head column={column} order={order} onOrder={onOrder} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={rowKey(row, index)}>
              {columns.map((column) => (
                <td key={column.id} className={css(column)}>
                  {column.cell(row, index)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const css = <Row,>(column: Column<Row>): string => `${column.align === "right" ? "right" : ""} ${column.stay ? "stay" : ""}`.trim();

/** How far down grids were, by what they remember it under. */
const places = new Map<string, number>();

/** A grid of many rows. `row(i)` is undefined for what is not loaded yet; `seen` hears which rows are in view. */
export function Grid<Row>({
  columns,
  count,
  row,
  rowKey,
  caption,
  order,
  onOrder,
  seen,
  cursor = -1,
  rowClass,
  height = 30,
  className = "",
  remember = "",
  show = "",
}: {
  columns: Column<Row>[];
  count: number;
  row: (index: number) => Row | undefined;
  rowKey: (row: Row) => string;
  caption: string;
  order?: string;
  onOrder?: (order: string) => void;
  seen?: (first: number, last: number) => void;
  cursor?: number;
  rowClass?: (row: Row) => string;
  height?: number;
  className?: string;
  show?: string; // the column that the view is moved to
  remember?: string; // under which its place is kept for who comes back
}) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    overscan: columns.length > 40 ? 4 : 8,
    initialOffset: () => (remember && places.get(remember)) || 0,
    onChange: (now) => remember && places.set(remember, now.scrollOffset ?? 0),
  });
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items[items.length - 1]?.index ?? 0;
  const onSeen = useRef(seen);
  useEffect(() => {
    onSeen.current = seen;
  });
  useEffect(() => {
    onSeen.current?.(first, last);
  }, [first, last]);
  useLayoutEffect(() => {
    if (cursor >= 0 && cursor < count) virtual.scrollToIndex(cursor, { align: "auto" });
    // The cursor moves the view; that rows come or go does not.
  }, [cursor]);
  useEffect(() => {
    if (cursor < 0) return;
    const mark = box.current?.querySelector<HTMLElement>(`[data-index="${cursor}"] :is(a, button)`);
    mark?.focus({ preventScroll: true });
    // Only when the cursor moves: whoever types elsewhere keeps the keyboard.
  }, [cursor]);
  useEffect(() => {
    if (show) box.current?.querySelector(`[data-column="${CSS.escape(show)}"]`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [show]);
  const template = columns.map((column) => column.width ?? "minmax(90px, 1fr)").join(" ");
  return (
    <div className={`grid ${className}`} ref={box} tabIndex={0} role="table" aria-label={caption} aria-rowcount={count + 1}>
      <div className="grid-row grid-head" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
        {columns.map((column) => (
          <div key={column.id} data-column={column.id} role="columnheader" className={css(column)} aria-sort={sorted(order, column.sort)}>
            <Head column={column} order={order} onOrder={onOrder} />
          </div>
        ))}
      </div>
      <div className="grid-body" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const value = row(item.index);
          const state = `${item.index === cursor ? "current" : ""} ${value ? (rowClass?.(value) ?? "") : "waiting"}`;
          return (
            <Line key={value ? rowKey(value) : `wait-${item.index}`} columns={columns as Column<unknown>[]} value={value} index={item.index} state={state} template={template} height={height} start={item.start} />
          );
        })}
      </div>
    </div>
  );
}

interface LineProps {
  columns: Column<unknown>[];
  value: unknown;
  index: number;
  state: string;
  template: string;
  height: number;
  start: number;
}

/** A row of a grid, drawn again only where something of it is another: columns and values stay the same objects. One that waits is one cell. */
const Line = memo(function Line({ columns, value, index, state, template, height, start }: LineProps) {
  const place: CSSProperties = { gridTemplateColumns: template, height, transform: `translateY(${start}px)` };
  return (
    <div className={`grid-row ${state}`} role="row" aria-rowindex={index + 2} data-index={index} style={place}>
      {value === undefined ? (
        <div role="cell" aria-colspan={columns.length} style={{ gridColumn: "2 / -1" }}>
          <span className="faint">…</span>
        </div>
      ) : (
        columns.map((column) => (
          <div key={column.id} role="cell" className={css(column)}>
            {column.cell(value, index)}
          </div>
        ))
      )}
    </div>
  );
});
