import { describe, expect, it } from "vitest";
import { ago, allEqual, bytes, date, delta, duration, even, many, num, number, plain, short, visible } from "./format";

describe("numbers", () => {
  it("keep the digits that count", () => {
    expect([0, 12, 1234567, 0.912345678, 1234.5678, 1.2345e-7, 2.5e12].map(num)).toEqual(["0", "12", "1,234,567", "0.91235", "1234.6", "1.235e-7", "2,500,000,000,000"]);
  });
  it("that are not finite are said as such", () => {
    expect(["NaN", "Infinity", "-Infinity"].map((text) => num(text as "NaN"))).toEqual(["NaN", "∞", "−∞"]);
    expect(number("-Infinity")).toBe(-Infinity);
    expect(number(null)).toBeNaN();
  });
  it("of one size have their points below each other", () => {
    expect([0.5, 0.74588, 0.0273951].map(even)).toEqual(["0.50000", "0.74588", "0.02740"]);
    expect([3, 0.00001].map(even)).toEqual(["3", "1e-5"]);
  });
  it("as differences have a sign", () => {
    expect([0.014, -2, 0, null, Number.NaN].map(delta)).toEqual(["+0.014", "−2", "±0", "", ""]);
  });
});

describe("times and sizes", () => {
  it("durations", () => {
    expect([0.012, 0.0999, 1.239, 42, 59.96, 184, 7500, 100_000].map(duration)).toEqual(["12 ms", "0.10 s", "1.24 s", "42.0 s", "1 min 00 s", "3 min 04 s", "2 h 05 min", "1 d 3 h"]);
    expect(duration(null)).toBe("");
    expect(duration(-1)).toBe("0 ms");
  });
  it("how long ago", () => {
    const now = 1_780_000_000;
    expect([1, 12, 300, 7200, 100_000, 400_000].map((passed) => ago(now - passed, now))).toEqual(["now", "12 s ago", "5 min ago", "2 h ago", "yesterday", "4 d ago"]);
    expect(ago(now - 3_000_000, now)).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d$/);
    expect(date(Number.NaN)).toBe("");
  });
  it("bytes in units of 1000", () => {
    expect([0, 999, 1000, 1_540_000, 999_600, 2.5e9].map(bytes)).toEqual(["0 B", "999 B", "1.0 kB", "1.5 MB", "1.0 MB", "2.5 GB"]);
  });
});

describe("texts from elsewhere", () => {
  it("show what cannot be seen, or would turn the direction", () => {
    expect(visible("a\u202egpj.exe\u001b[31m\n")).toBe("a\\u202egpj.exe\\u001b[31m\\n");
    expect(visible("Größe 数 👩‍🔬")).toBe("Größe 数 👩‍🔬");
  });
  it("values of parameters are on one line", () => {
    expect([plain("x\ny"), plain(4), plain(0.1), plain(null), plain([1, "a"]), plain(undefined)]).toEqual(["x\\ny", "4", "0.1", "null", '[1,"a"]', ""]);
  });
  it("digests lose the name of their algorithm", () => {
    expect([short("b3:0123456789abcdef"), short("b3-0123456789abcdef", 4), short("<b>")]).toEqual(["0123456789", "0123", "<b>"]);
  });
  it("counts agree with their noun", () => {
    expect([many(1, "run"), many(1200, "run"), many(2, "entry", "entries")]).toEqual(["1 run", "1,200 runs", "2 entries"]);
    expect([allEqual(1, "metric"), allEqual(1200, "metric")]).toEqual(["The one metric is equal.", "All 1,200 metrics are equal."]);
  });
});
