/* A histogram as a small drawing. Its words say from where to where, and where most is. */

import type { Histogram as Counts } from "../api";
import { num } from "../shared";

export function Histogram({ of, width, height, label }: { of: Counts; width: number; height: number; label: string }) {
  const most = Math.max(...of.counts, 1);
  const each = width / Math.max(1, of.counts.length);
  const peak = of.counts.indexOf(most);
  const from = num(of.edges[0] ?? null);
  const to = num(of.edges[of.edges.length - 1] ?? null);
  const words = of.counts.length === 0 ? label : `${label}: from ${from} to ${to}, most from ${num(of.edges[peak] ?? null)} on`;
  return (
    <svg className="histogram" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={words}>
      <title>{words}</title>
      {of.counts.map((count, i) => {
        const tall = count > 0 ? Math.max(1, (count / most) * (height - 1)) : 0;
        return <rect key={i} x={i * each} y={height - tall} width={Math.max(1, each - 1)} height={tall} />;
      })}
      <line x1={0} x2={width} y1={height - 0.5} y2={height - 0.5} />
    </svg>
  );
}
