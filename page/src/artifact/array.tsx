/* An array: its type and shape, its statistics, its first values. */

import type { Preview } from "../api";
import { visible } from "../shared";
import { Histogram } from "./histogram";
import { JsonTree } from "./json_tree";
import { Numbers } from "./preview";

export function ArrayView({ preview, small }: { preview: Preview & { kind: "array" }; small: boolean }) {
  return (
    <div className="array">
      <p>
        <code>{visible(preview.dtype)}</code> <span className="num">{preview.shape.length === 0 ? "one value" : preview.shape.join(" × ")}</span>
      </p>
      {preview.histogram && <Histogram of={preview.histogram} width={small ? 200 : 360} height={small ? 48 : 90} label="how the values are spread" />}
      <Numbers stats={preview.stats} />
      {!small && (
        <>
          <h3>First values</h3>
          <JsonTree value={preview.head} deep={2} />
        </>
      )}
    </div>
  );
}
