/* A unified difference, as text with lines that are told apart by sign and colour. */

export interface DiffLine {
  kind: "same" | "added" | "removed" | "place" | "file";
  text: string;
}

/** The lines of a unified difference, with what each is. */
export function diffLines(diff: string): DiffLine[] {
  const lines = diff.replace(/\n$/, "").split("\n");
  return lines.map((text) => ({
    kind: /^(\+\+\+|---) /.test(text) || text.startsWith("diff ")
      ? "file"
      : text.startsWith("@@")
        ? "place"
        : text.startsWith("+")
          ? "added"
          : text.startsWith("-")
            ? "removed"
            : "same",
    text,
  }));
}

const MOST = 3000;

export function Diff({ diff, label = "difference" }: { diff: string; label?: string }) {
  const lines = diffLines(diff);
  return (
    <div className="code diff" tabIndex={0} role="region" aria-label={label}>
      {lines.slice(0, MOST).map((line, index) => (
        <div key={index} className={`line ${line.kind}`}>
          {line.text || " "}
        </div>
      ))}
      {lines.length > MOST && <div className="line place">{lines.length - MOST} more lines</div>}
    </div>
  );
}

/** Code with its line numbers. */
export function Source({ text, first = 1, label = "source" }: { text: string; first?: number; label?: string }) {
  const lines = text.replace(/\n$/, "").split("\n");
  return (
    <div className="code source" tabIndex={0} role="region" aria-label={label}>
      {lines.slice(0, MOST).map((line, index) => (
        <div key={index} className="line">
          <span className="lineno" aria-hidden="true">
            {first + index}
          </span>
          {line || " "}
        </div>
      ))}
      {lines.length > MOST && <div className="line place">{lines.length - MOST} more lines</div>}
    </div>
  );
}
