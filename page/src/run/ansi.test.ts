import { expect, test } from "vitest";
import { lastWords, PLAIN, parse, plain, type Span } from "./ansi";

const look = ({ classes, fg, bg }: Omit<Span, "text">) => [classes, fg && `fg-${fg}`, bg && `bg-${bg}`].filter(Boolean).join(" ");
const looks = (line: string) => parse(line).spans.map((span) => [span.text, look(span)]);

test("colours and weights become names", () => {
  expect(looks("\x1b[1;31mred\x1b[0m and \x1b[92mgreen\x1b[39m plain")).toEqual([
    ["red", "bold fg-red"],
    [" and ", ""],
    ["green", "fg-green"],
    [" plain", ""],
  ]);
});

test("colours of 256 and of millions become the nearest that the page has", () => {
  expect(looks("\x1b[38;5;196mx")).toEqual([["x", "fg-red"]]);
  expect(looks("\x1b[48;2;0;0;120mx")).toEqual([["x", "bg-blue"]]);
  expect(looks("\x1b[38:2::0:255:255mx")).toEqual([["x", "fg-cyan"]]);
  expect(looks("\x1b[38;5mx\x1b[38;2;;mx\x1b[99999999999999999999mx").map(([text]) => text)).toEqual(["x", "x", "x"]);
});

test("a pen goes over to the next line", () => {
  const { pen } = parse("\x1b[4;33mwarning");
  expect(parse("next", pen).spans).toEqual([{ text: "next", classes: "underline", fg: "yellow", bg: "" }]);
  expect(parse("\x1b[m", pen).pen).toEqual(PLAIN);
});

test("inverse swaps what is told, and is a class of its own without colours", () => {
  expect(looks("\x1b[7mx")).toEqual([["x", "inverse"]]);
  expect(looks("\x1b[31;7mx")).toEqual([["x", "inverse bg-red"]]);
});

test("other commands to a terminal leave nothing behind", () => {
  expect(plain("a\x1b[2Jb\x1b]0;title\x07c\x1b]8;;http://evil.test\x1b\\d\x1b(Be\x1b[?25hf\x9b3Ag")).toBe("abcdefg");
});

test("control characters and those that turn text are shown, tabs stay", () => {
  expect(plain("a\x07b\x00\tc\u202eevil")).toBe("a\\u0007b\\u0000\tc\\u202eevil");
});

test("markup is text", () => {
  expect(looks("<img src=x onerror=alert(1)>\x1b[31m<b>")).toEqual([
    ["<img src=x onerror=alert(1)>", ""],
    ["<b>", "fg-red"],
  ]);
});

test("of a progress bar its last words stay", () => {
  expect(lastWords("10%\r50%\r100%\r")).toBe("100%");
  expect(lastWords("plain")).toBe("plain");
  expect(lastWords("\r\r")).toBe("");
});

test("commands that never end take linear time", () => {
  const started = performance.now();
  parse("\x1b[".repeat(200_000));
  parse(`\x1b]${"x".repeat(500_000)}`);
  parse(`\x1b[${"1;".repeat(300_000)}m`);
  expect(performance.now() - started).toBeLessThan(3000);
});
