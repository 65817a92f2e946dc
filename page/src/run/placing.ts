/* The places of a drawing's boxes, found again only when its boxes or links change. */

import { useEffect, useMemo, useRef, useState } from "react";
import type { Drawing } from "./boxes";
import { type Layout, lay, type Point, type Shape } from "./layout";

/** Boxes up to which a graph is laid out at once: it takes some milliseconds. */
const AT_ONCE = 40;

export interface Placed {
  /** By key of box; boxes that came since have none yet. */
  where: ReadonlyMap<string, Point>;
  /** The points of each link, by "from to". */
  routes: ReadonlyMap<string, Point[]>;
  /** Grows with each layout. */
  version: number;
  /** Whether it is the layout of the drawing that was asked for, and not of the one before. */
  current: boolean;
  failed: boolean;
}

export function usePlaces(drawing: Drawing): Placed {
  const shape = useMemo(() => shapeOf(drawing), [drawing]);
  const text = useMemo(() => JSON.stringify(shape), [shape]);
  const [placed, setPlaced] = useState<Placed>(() => ({ where: new Map(), routes: new Map(), version: 0, current: false, failed: false }));
  const laid = useRef("");
  const worker = useRef<Worker | null>(null);
  const asked = useRef(0);
  useEffect(() => {
    const now = ++asked.current;
    const found = ({ places, routes }: Layout) => {
      if (now !== asked.current) return;
      const where = new Map(shape.keys.map((key, i) => [key, places[i] ?? { x: 0, y: 0 }]));
      const named = new Map(shape.links.map(([from, to], i) => [`${shape.keys[from]} ${shape.keys[to]}`, routes[i] ?? []]));
      laid.current = text;
      setPlaced((before) => ({ where, routes: named, version: before.version + 1, current: true, failed: false }));
    };
    if (shape.keys.length <= AT_ONCE) {
      found(lay(shape));
      return;
    }
    worker.current ??= new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
    worker.current.onmessage = (message: MessageEvent<{ asked: number; layout: Layout }>) => {
      if (message.data.asked === asked.current) found(message.data.layout);
    };
    worker.current.onerror = () => setPlaced((before) => ({ ...before, failed: true }));
    worker.current.postMessage({ asked: now, shape });
    // The text is the shape: the same boxes and links keep their places.
  }, [text]);
  useEffect(
    () => () => {
      worker.current?.terminate();
      worker.current = null;
    },
    [],
  );
  return placed.current === (laid.current === text) ? placed : { ...placed, current: laid.current === text };
}

function shapeOf(drawing: Drawing): Shape {
  const keys = drawing.boxes.map((box) => box.key);
  const at = new Map(keys.map((key, i) => [key, i]));
  return { keys, links: drawing.links.map((link) => [at.get(link.from) as number, at.get(link.to) as number]) };
}
