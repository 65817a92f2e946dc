/* A JSON value that opens where one looks closer. Only what is open exists, and of long lists only the beginning. */

import { useState } from "react";
import type { Json } from "../api";
import { many, visible } from "../shared";

const MOST = 200;

/** A value; its parts are open down to `deep`. */
export function JsonTree({ value, deep }: { value: Json; deep: number }) {
  return (
    <div className="json">
      <Part value={value} deep={deep} />
    </div>
  );
}

function Part({ name, value, deep }: { name?: string; value: Json; deep: number }) {
  const [open, setOpen] = useState(deep > 0);
  const [more, setMore] = useState(MOST);
  const head = name === undefined ? null : <span className="json-name">{visible(name)}: </span>;
  if (typeof value !== "object" || value === null) {
    return (
      <div className="json-leaf">
        {head}
        <span className={`json-${value === null ? "null" : typeof value}`}>{shown(value)}</span>
      </div>
    );
  }
  const list = Array.isArray(value);
  const parts: [string, Json][] = open ? Object.entries(value).slice(0, more) : [];
  const count = list ? value.length : Object.keys(value).length;
  if (count === 0)
    return (
      <div className="json-leaf">
        {head}
        {list ? "[]" : "{}"}
      </div>
    );
  return (
    <div>
      <button type="button" className="link json-head" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span aria-hidden="true">{open ? "▾" : "▸"}</span> {head}
        <span className="faint">{many(count, list ? "item" : "name")}</span>
      </button>
      {open && (
        <div className="json-parts">
          {parts.map(([key, part]) => (
            <Part key={key} name={key} value={part} deep={deep - 1} />
          ))}
          {count > more && (
            <button type="button" className="quiet" onClick={() => setMore(more + 5 * MOST)}>
              {many(count - more, "more")}
            </button>
          )}
        </div>
      )}
    </div>
  );
}

function shown(value: string | number | boolean | null): string {
  if (typeof value !== "string") return String(value);
  const text = value.length > 2000 ? `${value.slice(0, 2000)}… (${value.length} characters)` : value;
  return `"${text.split("\n").map(visible).join("\n")}"`;
}
