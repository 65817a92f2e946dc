/* Terminal text as spans with names of looks and colours. Colours and weights are understood (SGR); every other command to a terminal
 * (cursor moves, titles, links, clearing) is left out, and control characters are shown as `\u0007`. What comes out is text
 * and names of a fixed list: nothing of the input can become markup. Linear in the length of the text.
 */

import { visible } from "../shared/format";

/** A piece of text in one look. `classes` is "" or names such as "bold italic"; `fg` and `bg` are "" or one of the eight colours. */
export interface Span {
  text: string;
  classes: string;
  fg: string;
  bg: string;
}

/** What the next character looks like. Colours: 0 to 15 as terminals count them, -1 for the page's own. */
export interface Pen {
  readonly fg: number;
  readonly bg: number;
  readonly marks: number;
}

export const PLAIN: Pen = { fg: -1, bg: -1, marks: 0 };

const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const BOLD = 1;
const DIM = 2;
const ITALIC = 4;
const UNDERLINE = 8;
const INVERSE = 16;
const STRIKE = 32;
const MARKS: [number, string][] = [
  [BOLD, "bold"],
  [DIM, "dim"],
  [ITALIC, "italic"],
  [UNDERLINE, "underline"],
  [STRIKE, "strike"],
];
const SET: Record<number, number> = { 1: BOLD, 2: DIM, 3: ITALIC, 4: UNDERLINE, 7: INVERSE, 9: STRIKE };
const UNSET: Record<number, number> = { 22: BOLD | DIM, 23: ITALIC, 24: UNDERLINE, 27: INVERSE, 29: STRIKE };

/* One command: CSI (its parameters and its last byte are caught), a string (OSC, DCS, ...) up to its end, or a short one. */
const COMMAND =
  /(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]/g;

/** Text with its control characters, and those that turn the direction of text, made seen; tabs stay. */
export function shown(text: string): string {
  return text.split("\t").map(visible).join("\t");
}

/** Text without commands to a terminal, control characters shown: what a search looks in. */
export function plain(text: string): string {
  return shown(text.replace(COMMAND, ""));
}

/** What stays of a line in which the cursor went back to its start, as progress bars do: its last words. */
export function lastWords(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === "\r") end--;
  return line.slice(line.lastIndexOf("\r", end - 1) + 1, end);
}

/** The spans of one line that begins with `pen`, and the pen that the next line begins with. */
export function parse(line: string, pen: Pen = PLAIN): { spans: Span[]; pen: Pen } {
  const spans: Span[] = [];
  const put = (text: string) => {
    if (text) {
      spans.push({ text: shown(text), ...looks(pen) });
    }
  };
  let from = 0;
  COMMAND.lastIndex = 0;
  for (let found = COMMAND.exec(line); found !== null; found = COMMAND.exec(line)) {
    put(line.slice(from, found.index));
    from = found.index + found[0].length;
    if (found[2] === "m") {
      pen = written(pen, found[1] ?? "");
    }
  }
  put(line.slice(from));
  return { spans, pen };
}

function looks(pen: Pen): Omit<Span, "text"> {
  const inverse = (pen.marks & INVERSE) !== 0;
  const [fg, bg] = inverse ? [pen.bg, pen.fg] : [pen.fg, pen.bg];
  const names = MARKS.filter(([bit]) => pen.marks & bit).map(([, name]) => name);
  if (inverse && (bg < 0 || fg < 0)) names.push("inverse");
  return { classes: names.join(" "), fg: colour(fg), bg: colour(bg) };
}

/** The bright ones are those that they are brighter than, which can be read on both grounds; but bright black is grey. */
function colour(number: number): string {
  return number < 0 ? "" : number === 8 ? "white" : (COLOURS[number % 8] ?? "");
}

/** The pen after an SGR command with these parameters ("1;31", "38;5;196", "38:2::255:0:0", ""). */
function written(pen: Pen, parameters: string): Pen {
  const numbers = parameters.replace(/:+/g, ";").split(";").slice(0, 64).map(Number);
  let { fg, bg, marks } = pen;
  for (let i = 0; i < numbers.length; i++) {
    const n = numbers[i] ?? 0;
    if (n === 0) {
      fg = bg = -1;
      marks = 0;
    } else if (n in SET) marks |= SET[n] ?? 0;
    else if (n in UNSET) marks &= ~(UNSET[n] ?? 0);
    else if (n >= 30 && n <= 37) fg = n - 30;
    else if (n >= 40 && n <= 47) bg = n - 40;
    else if (n >= 90 && n <= 97) fg = n - 82;
    else if (n >= 100 && n <= 107) bg = n - 92;
    else if (n === 39) fg = -1;
    else if (n === 49) bg = -1;
    else if (n === 38 || n === 48) {
      const mixed = numbers[i + 1] === 2;
      const nearest = mixed
        ? nearestColour(numbers[i + 2] ?? 0, numbers[i + 3] ?? 0, numbers[i + 4] ?? 0)
        : ofTable(numbers[i + 2] ?? 0);
      i += mixed ? 4 : 2;
      if (n === 38) fg = nearest;
      else bg = nearest;
    }
  }
  return { fg, bg, marks };
}

/** The nearest of the sixteen to one of the 256: the sixteen are the page's own, legible in light and dark. */
function ofTable(number: number): number {
  if (number < 16) return number >= 0 ? number : -1;
  if (number > 231) {
    const grey = 8 + (number - 232) * 10;
    return nearestColour(grey, grey, grey);
  }
  const cube = number - 16;
  const level = (n: number) => (n === 0 ? 0 : 55 + n * 40);
  return nearestColour(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function nearestColour(red: number, green: number, blue: number): number {
  const most = Math.max(red, green, blue);
  if (!Number.isFinite(most)) return -1;
  if (most - Math.min(red, green, blue) < 32) {
    return most < 64 ? 0 : most < 150 ? 8 : most < 220 ? 7 : 15;
  }
  const bits = [red, green, blue].map((part, bit) => (part > most * 0.6 ? 1 << bit : 0)).reduce((a, b) => a | b);
  return most > 200 ? bits + 8 : bits;
}
