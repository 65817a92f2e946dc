/* What steps wrote, as lines. The server gives pieces of text in the order in which they came; a line of one step can come
 * in several pieces, with pieces of other steps between. Bounded in memory: of very long lines the beginning is kept, of
 * very long logs the newest lines.
 */

import { lastWords, type Pen, PLAIN, parse, plain } from "./ansi";

/** Lines that are kept at most; older ones are counted in `dropped`. */
export const MOST_LINES = 200_000;
/** Characters of a line that are kept at most; the others are counted in `cut`. */
export const LONGEST_LINE = 10_000;

export interface Piece {
  seq: number;
  node: number;
  time: number;
  stream: "stdout" | "stderr";
  text: string;
}

/** One line of one step. `pen` is what its first character looks like. `number` counts lines of the run from 1. */
export interface Line {
  readonly number: number;
  readonly node: number;
  readonly time: number;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  readonly pen: Pen;
  readonly cut: number;
}

interface Begun {
  node: number;
  stream: "stdout" | "stderr";
  time: number;
  text: string;
  cut: number;
}

/** The lines of one run, as they come. `version` grows with each change. */
export class Book {
  lines: Line[] = [];
  dropped = 0;
  version = 0;
  /** What to ask the server for with `after=`. */
  next = 0;
  private last = -1;
  private begun = new Map<string, Begun>();
  private pens = new Map<string, Pen>();
  private count = 0;

  constructor(private readonly most = MOST_LINES) {}

  /** Add pieces that are newer than all before; those that were added already are left out. */
  add(pieces: readonly Piece[], next: number): void {
    for (const piece of pieces) {
      if (piece.seq <= this.last) continue;
      this.last = piece.seq;
      this.put(piece);
    }
    const after = Math.max(this.next, next);
    if (pieces.length > 0 || after !== this.next) this.version++;
    this.next = after;
    if (this.lines.length > this.most * 1.1) {
      const over = this.lines.length - this.most;
      this.lines = this.lines.slice(over);
      this.dropped += over;
    }
  }

  /** All lines, those last that are not finished yet. */
  all(): Line[] {
    const open = [...this.begun].map(([key, line], i) => this.made(key, line, this.count + i + 1));
    return open.length > 0 ? [...this.lines, ...open] : this.lines;
  }

  private put(piece: Piece): void {
    const key = `${piece.stream} ${piece.node}`;
    const parts = piece.text.split("\n");
    const rest = parts.pop() ?? "";
    for (const part of parts) {
      const line = this.grown(key, piece, part);
      this.begun.delete(key);
      this.lines.push(this.made(key, line, ++this.count));
      if (line.text.includes("\x1b")) this.pens.set(key, parse(line.text, this.pens.get(key)).pen);
    }
    if (rest) this.begun.set(key, this.grown(key, piece, rest));
  }

  private grown(key: string, piece: Piece, text: string): Begun {
    const line = this.begun.get(key) ?? { node: piece.node, stream: piece.stream, time: piece.time, text: "", cut: 0 };
    const back = text.length > 1 ? text.lastIndexOf("\r", text.length - 2) : -1;
    const whole = back >= 0 ? text.slice(back) : line.text + text; // what a progress bar wrote over need not be kept
    return { ...line, text: whole.slice(0, LONGEST_LINE), cut: line.cut + Math.max(0, whole.length - LONGEST_LINE) };
  }

  private made(key: string, line: Begun, number: number): Line {
    const { node, stream, time, cut } = line;
    return { number, node, stream, time, cut, text: lastWords(line.text), pen: this.pens.get(key) ?? PLAIN };
  }
}

/** Which lines are shown: of one step, of stderr only, with a text in them (case counts only where it has capitals). */
export interface Wanted {
  node: number | null;
  errors: boolean;
  text: string;
}

/** The lines that are wanted, in order. */
export function chosen(lines: readonly Line[], wanted: Wanted): readonly Line[] {
  if (wanted.node === null && !wanted.errors && !wanted.text) return lines;
  const capitals = wanted.text !== wanted.text.toLowerCase();
  return lines.filter((line) => {
    if (wanted.node !== null && line.node !== wanted.node) return false;
    if (wanted.errors && line.stream !== "stderr") return false;
    if (!wanted.text) return true;
    const text = plain(line.text);
    return (capitals ? text : text.toLowerCase()).includes(wanted.text);
  });
}

/** A text in pieces, those that are what was searched for with `hit`. */
export function marked(text: string, searched: string): { text: string; hit: boolean }[] {
  if (!searched) return [{ text, hit: false }];
  const inside = searched === searched.toLowerCase() ? text.toLowerCase() : text;
  if (inside.length !== text.length) return [{ text, hit: false }]; // letters whose lower case is longer
  const out: { text: string; hit: boolean }[] = [];
  let from = 0;
  for (let at = inside.indexOf(searched); at >= 0; at = inside.indexOf(searched, from)) {
    if (at > from) out.push({ text: text.slice(from, at), hit: false });
    from = at + searched.length;
    out.push({ text: text.slice(at, from), hit: true });
  }
  if (from < text.length) out.push({ text: text.slice(from), hit: false });
  return out;
}
