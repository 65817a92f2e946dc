import { expect, test } from "vitest";
import { Book, chosen, LONGEST_LINE, marked, type Piece } from "./lines";

let seq = 0;
const piece = (text: string, node = 0, stream: Piece["stream"] = "stdout"): Piece => ({ seq: seq++, node, time: 1, stream, text });
const book = (pieces: Piece[], most?: number) => {
  const made = new Book(most);
  made.add(pieces, (pieces.at(-1)?.seq ?? -1) + 1);
  return made;
};
const texts = (made: Book) => made.all().map((line) => line.text);

test("a line that comes in pieces is one line, whatever comes between", () => {
  const made = book([piece("on"), piece("other\n", 1), piece("e\ntw"), piece("err\n", 0, "stderr"), piece("o\n")]);
  expect(texts(made)).toEqual(["other", "one", "err", "two"]);
});

test("what is not finished is shown last, and finished once", () => {
  const made = book([piece("begun")]);
  expect(texts(made)).toEqual(["begun"]);
  const more = piece(" and done\n");
  made.add([more], more.seq + 1);
  expect(texts(made)).toEqual(["begun and done"]);
});

test("what was added already is not added again", () => {
  const same = piece("a\n");
  const made = book([same]);
  made.add([same], same.seq + 1);
  expect(texts(made)).toEqual(["a"]);
});

test("a very long line keeps its beginning and says how much is missing", () => {
  const made = book([piece("x".repeat(LONGEST_LINE)), piece("y".repeat(1234)), piece("\n")]);
  expect(made.all()[0]?.text.length).toBe(LONGEST_LINE);
  expect(made.all()[0]?.cut).toBe(1234);
});

test("a progress bar in many pieces keeps its newest words", () => {
  const made = book(Array.from({ length: 5000 }, (_, i) => piece(`\r${i} of 5000 ${"#".repeat(20)}`)));
  expect(texts(made)[0]).toMatch(/^4999 of 5000/);
  expect(made.all()[0]?.cut).toBe(0);
});

test("of a very long log the newest lines are kept, the others counted, numbers stay", () => {
  const made = book(Array.from({ length: 300 }, (_, i) => piece(`${i}\n`)), 100);
  expect(made.all().length).toBe(100);
  expect(made.dropped).toBe(200);
  expect(made.all()[0]).toMatchObject({ number: 201, text: "200" });
});

test("colours go over to the step's next line, not to another step's", () => {
  const made = book([piece("\x1b[31mred\n"), piece("own\n", 1), piece("still\n")]);
  expect(made.all().map((line) => line.pen.fg)).toEqual([-1, -1, 1]);
});

test("lines are chosen by step, stream and text; capitals count where they are written", () => {
  const lines = book([piece("Epoch 1\n"), piece("epoch 2\n", 1), piece("\x1b[1mEp\x1b[0moch 3\n", 1, "stderr")]).all();
  const of = (node: number | null, errors: boolean, text: string) => chosen(lines, { node, errors, text }).length;
  expect([of(null, false, ""), of(1, false, ""), of(null, true, ""), of(null, false, "epoch")]).toEqual([3, 2, 1, 3]);
  expect(of(null, false, "Epoch")).toBe(2);
});

test("what was searched for is marked", () => {
  expect(marked("a Loss loss", "loss").filter((one) => one.hit).map((one) => one.text)).toEqual(["Loss", "loss"]);
  expect(marked("a", "")).toEqual([{ text: "a", hit: false }]);
});
