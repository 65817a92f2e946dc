/* The links of a graph, on one canvas behind the boxes.
 *
 * What is in view is drawn in one go, some milliseconds for thousands of links. As paths of the page they were drawn anew for
 * each tile of the picture, whole, whenever the size changed: a third of a second without a graphics processor.
 */

import { useStore } from "@xyflow/react";
import { memo, useLayoutEffect, useMemo, useRef } from "react";
import { colour, useDark } from "../shared";
import type { Link } from "./boxes";
import { curve, HEIGHT, WIDTH } from "./layout";
import type { Placed } from "./placing";

/** Below this size texts cannot be read: boxes are their status's colour only. */
export const FAR = 0.3;
const THICK = 1.4;
/** How strong a link is of which there are many, and that is none of those that are looked for. */
const FAINT = 0.25;

interface LinksProps {
  links: readonly Link[];
  placed: Placed;
  /** The boxes whose links are drawn strongly; of small graphs all are. */
  marked: ReadonlySet<string> | null;
}

interface Line {
  points: number[];
  quiet: boolean;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Inside of a flow: it moves and grows with that. */
export const Links = memo(function Links({ links, placed, marked }: LinksProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useStore((flow) => flow.transform);
  const width = useStore((flow) => flow.width);
  const height = useStore((flow) => flow.height);
  const dark = useDark();
  const lines = useMemo(() => linesOf(links, placed, marked), [links, placed, marked]);
  useLayoutEffect(() => {
    if (canvas.current) draw(canvas.current, lines, view, width, height);
  }, [lines, view, width, height, dark]);
  return <canvas ref={canvas} className="links" aria-hidden="true" />;
});

function linesOf(links: readonly Link[], placed: Placed, marked: ReadonlySet<string> | null): Line[] {
  const lines: Line[] = [];
  for (const link of links) {
    const from = placed.where.get(link.from);
    const to = placed.where.get(link.to);
    if (!from || !to) continue;
    const route = placed.routes.get(`${link.from} ${link.to}`) ?? [];
    const points = curve({ x: from.x + WIDTH, y: from.y + HEIGHT / 2 }, { x: to.x, y: to.y + HEIGHT / 2 }, route);
    const xs = points.filter((_, i) => i % 2 === 0);
    const ys = points.filter((_, i) => i % 2 === 1);
    const quiet = marked !== null && !marked.has(link.from) && !marked.has(link.to);
    lines.push({ points, quiet, left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) });
  }
  return lines;
}

function draw(canvas: HTMLCanvasElement, lines: readonly Line[], [x, y, zoom]: readonly [number, number, number], width: number, height: number): void {
  const ratio = window.devicePixelRatio || 1;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  canvas.width = Math.round(width * ratio); // which also empties it
  canvas.height = Math.round(height * ratio);
  pen.setTransform(ratio * zoom, 0, 0, ratio * zoom, ratio * x, ratio * y);
  pen.lineWidth = THICK;
  pen.strokeStyle = colour("strong-line");
  const [left, right, top, bottom] = [-x / zoom, (width - x) / zoom, -y / zoom, (height - y) / zoom];
  const seen = lines.filter((line) => line.left < right && line.right > left && line.top < bottom && line.bottom > top);
  for (const quiet of [true, false]) {
    pen.globalAlpha = quiet ? FAINT : 1;
    pen.beginPath();
    for (const line of seen) if (line.quiet === quiet) trace(pen, line.points, zoom < FAR);
    pen.stroke();
  }
}

/** From afar bends are hardly seen, and straight lines take half of the time. */
function trace(pen: CanvasRenderingContext2D, points: readonly number[], straight: boolean): void {
  const at = (i: number) => points[i] as number;
  pen.moveTo(at(0), at(1));
  for (let i = 2; i < points.length; i += 6)
    if (straight) pen.lineTo(at(i + 4), at(i + 5));
    else pen.bezierCurveTo(at(i), at(i + 1), at(i + 2), at(i + 3), at(i + 4), at(i + 5));
}
