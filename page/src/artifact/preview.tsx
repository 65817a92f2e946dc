/* What of an artifact can be shown, by its kind. Texts are texts; HTML is shown only in a frame that may do nothing. */

import type { Num as Num_, Preview } from "../api";
import { bytes, Copy, Num, num, Pairs, Source, Table, Text, visible } from "../shared";
import { ArrayView } from "./array";
import { JsonTree } from "./json_tree";
import { TableView } from "./table";
import "./artifact.css";

/** The preview; `small` where it is one of many. `page` asks for other rows of a table. */
export function PreviewView({ preview, name, small = false, page }: { preview: Preview; name: string; small?: boolean; page?: (offset: number) => void }) {
  switch (preview.kind) {
    case "table":
      return <TableView preview={preview} small={small} page={page} />;
    case "image":
      return <img className={small ? "figure small" : "figure"} src={preview.url} alt={visible(name)} loading="lazy" />;
    case "text":
      return <TextView preview={preview} small={small} />;
    case "json":
      return (
        <>
          <JsonTree value={preview.value} deep={small ? 1 : 3} />
          {preview.cut && <p className="faint">It is longer than what is shown.</p>}
        </>
      );
    case "array":
      return <ArrayView preview={preview} small={small} />;
    case "model":
      return <ModelView preview={preview} small={small} />;
    case "html":
      return <Framed url={preview.url} name={name} small={small} cut={preview.cut} />;
    case "vega":
      return (
        <>
          <p className="faint">
            A chart as its specification for Vega, which this page does not draw: copy it into a notebook or an editor that does.{" "}
            <Copy text={JSON.stringify(preview.spec, null, 2)} label="copy the specification" />
          </p>
          <JsonTree value={preview.spec} deep={small ? 1 : 2} />
        </>
      );
    case "files":
      return (
        <Table
          caption="files"
          rows={preview.files.slice(0, small ? 8 : 2000)}
          rowKey={(file) => file.name}
          columns={[
            { id: "name", head: "file", cell: (file) => <Text>{file.name}</Text> },
            { id: "size", head: "size", align: "right", cell: (file) => bytes(file.size) },
          ]}
        />
      );
    case "bytes":
      return <Hex hex={preview.hex} size={preview.size} />;
    default:
      return <p className="faint lines">{preview.kind === "none" ? preview.why : "This page is older than what it is shown."}</p>;
  }
}

function TextView({ preview, small }: { preview: Preview & { kind: "text" }; small: boolean }) {
  const text = small ? preview.text.slice(0, 2000) : preview.text;
  if (preview.language && preview.language !== "text") return <Source text={text} label={visible(preview.language)} />;
  return (
    <>
      <div className="text-view lines" tabIndex={0} role="region" aria-label="text">
        {text.split("\n").map(visible).join("\n")}
      </div>
      {(preview.cut || text.length < preview.text.length) && <p className="faint">It is longer than what is shown.</p>}
    </>
  );
}

/** Bytes that a browser could run: they come from an address of their own, into a frame without scripts and without us. */
function Framed({ url, name, small, cut }: { url: string; name: string; small: boolean; cut: boolean }) {
  return (
    <>
      <iframe className={small ? "framed small" : "framed"} sandbox="" referrerPolicy="no-referrer" src={url} title={visible(name)} loading="lazy" />
      <p className="faint">Shown without its scripts.{cut && " It is longer than what is shown."}</p>
    </>
  );
}

function ModelView({ preview, small }: { preview: Preview & { kind: "model" }; small: boolean }) {
  const params = small ? preview.params.slice(0, 8) : preview.params;
  return (
    <div className="model">
      <h3>
        <Text>{preview.title}</Text>
      </h3>
      <Pairs pairs={preview.facts} />
      {params.length > 0 && <h3>Parameters</h3>}
      <Pairs pairs={params} />
    </div>
  );
}

function Hex({ hex, size }: { hex: string; size: number }) {
  const rows = hex.replace(/\s/g, "").match(/.{1,32}/g) ?? [];
  return (
    <pre className="code hex" tabIndex={0} aria-label={`first bytes of ${num(size)}`}>
      {rows.map((row, i) => (
        <div key={i} className="line">
          <span className="lineno">{(i * 16).toString(16).padStart(6, "0")}</span>
          {(row.match(/../g) ?? []).join(" ").padEnd(48)} {ascii(row)}
        </div>
      ))}
    </pre>
  );
}

const ascii = (row: string): string =>
  (row.match(/../g) ?? [])
    .map((pair) => {
      const code = Number.parseInt(pair, 16);
      return code > 31 && code < 127 ? String.fromCharCode(code) : "·";
    })
    .join("");

/** Statistics as pairs of words and numbers. */
export const Numbers = ({ stats }: { stats: Record<string, Num_> }) => <Pairs pairs={Object.entries(stats).map(([name, value]) => [name, <Num value={value} />])} />;
