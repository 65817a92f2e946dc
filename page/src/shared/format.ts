/* Values as texts. Pure functions. */
import type { Json, Num } from "../api";

/** Control characters, and those that turn the direction of a text, as what they are: a name cannot disguise itself. */
export function visible(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (sign) =>
    sign === "\t" ? "\\t" : sign === "\n" ? "\\n" : `\\u${(sign.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}

/** A number of the server, where what is not finite comes as a text. */
export function number(value: Num | null | undefined): number {
  if (value === null || value === undefined) return Number.NaN;
  return typeof value === "number" ? value : Number(value);
}

/** Made once: the browser takes ten times as long to make one as to use it. */
const GROUPED = new Intl.NumberFormat("en-US");

/** At most five digits that count: 0.91235, 1234.5, 1.2e-7, 12,345,678. */
export function num(value: Num | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return value === "Infinity" ? "∞" : value === "-Infinity" ? "−∞" : value;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return size < 1000 ? String(value) : GROUPED.format(value);
  if (size >= 1e9 || size < 1e-4) return value.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e");
  if (size >= 1e5) return GROUPED.format(Math.round(value));
  return String(Number(value.toPrecision(5)));
}

/** As `num`, with as many digits behind the point as others of its size have: for columns, where points are to stand below each other. */
export function even(value: Num | null | undefined): string {
  if (typeof value !== "number" || Number.isInteger(value) || !Number.isFinite(value)) return num(value);
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e5) return num(value);
  return value.toFixed(size < 10 ? 5 : size < 100 ? 4 : size < 1000 ? 3 : size < 10_000 ? 2 : 1);
}

/** A difference, with its sign. */
export function delta(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (value === 0) return "±0";
  return (value > 0 ? "+" : "−") + num(Number(Math.abs(value).toPrecision(3)));
}

/** A value of a parameter on one line. */
export function plain(value: Json | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "string") return visible(value);
  if (typeof value === "number") return Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : num(value);
  return visible(JSON.stringify(value));
}

/** Seconds: 12 ms, 1.24 s, 42.0 s, 3 min 04 s, 2 h 05 min, 3 d 4 h. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "";
  const value = Math.max(0, seconds);
  if (value < 0.0995) return `${Math.round(value * 1000)} ms`;
  if (value < 9.995) return `${value.toFixed(2)} s`;
  if (value < 59.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** Bytes in units of 1000. */
export function bytes(size: number | null | undefined): string {
  if (size === null || size === undefined) return "";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = size;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toPrecision(2)} ${units[unit]}`;
}

/** How long ago, of seconds since 1970: "now", "12 s ago", "5 min ago", "3 h ago", "yesterday", else the date. */
export function ago(time: number, now: number): string {
  const passed = now - time;
  if (passed < 3) return "now";
  if (passed < 60) return `${Math.floor(passed)} s ago`;
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86_400) return `${Math.floor(passed / 3600)} h ago`;
  if (passed < 2 * 86_400) return "yesterday";
  if (passed < 14 * 86_400) return `${Math.floor(passed / 86_400)} d ago`;
  return date(time).slice(0, 16);
}

/** "2026-11-21 23:04:05", in the time of this machine. */
export function date(time: number): string {
  const at = new Date(time * 1000);
  if (Number.isNaN(at.getTime())) return "";
  const two = (value: number) => String(value).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** The first signs of a digest, without the name of its algorithm. */
export const short = (digest: string, length = 10): string => visible(digest.replace(/^[a-z0-9]{1,8}[-:]/i, "")).slice(0, length);

/** "1 run", "12 runs". */
export const many = (count: number, one: string, more = `${one}s`): string => `${GROUPED.format(count)} ${count === 1 ? one : more}`;

/** "The one metric is equal.", "All 12 metrics are equal." */
export const allEqual = (count: number, one: string): string => (count === 1 ? `The one ${one} is equal.` : `All ${many(count, one)} are equal.`);
