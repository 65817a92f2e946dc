/* The graph of a run: boxes by status, why on hover and focus; large graphs by step, opened where one looks closer. */

import { type Node, type NodeProps, ReactFlow, type ReactFlowInstance } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { type KeyboardEvent, memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Counts, Duration, Empty, many, StatusMark, Text, useSearch, visible } from "../shared";
import { around, type Box, CROWDED, drawing, matching, neighbour, type Way } from "./boxes";
import type { TabProps } from "./index";
import { HEIGHT, type Point, WIDTH } from "./layout";
import { FAR, Links } from "./links";
import { type Placed, usePlaces } from "./placing";
import { FEW, FewSteps } from "./steps";

interface BoxData extends Record<string, unknown> {
  box: Box;
  chosen: boolean;
  hit: boolean;
  dim: boolean;
  first: boolean;
  move: (key: string, way: Way) => void;
}

type BoxNode = Node<BoxData, "box">;

const TYPES = { box: memo(Drawn) };
const SIZE = { width: WIDTH, height: HEIGHT };
const WAYS: Record<string, Way> = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
const SMALLEST = 0.04;
/** Steps up to which all calls can be asked for at once; of larger graphs groups are opened one by one. */
const MOST = 3000;
/** Links above which only those of the steps that are chosen or found are drawn strongly. */
const MANY_LINKS = 200;

export default function GraphTab({ run, chosen, choose }: TabProps) {
  const [search, set] = useSearch();
  const [flow, setFlow] = useState<ReactFlowInstance<BoxNode> | null>(null);
  const text = search.get("find") ?? "";
  const opened = search.getAll("open").join("\n");
  const focus = search.get("focus") ?? "";
  const far = Math.max(1, Math.min(20, Number(search.get("far") ?? 2) || 2));
  const sources = search.get("sources") !== "0";
  const hits = useMemo(() => matching(run.steps, text), [run.steps, text]);
  const focused = run.steps.find((step) => step.id === focus);
  const only = useMemo(() => (focused ? around(run.edges, [focused.node], far) : null), [run.edges, focused?.node, far]);
  const open = useMemo(() => new Set(opened ? opened.split("\n") : []), [opened]);
  const drawn = useMemo(() => drawing(run, { open, only, sources }), [run, open, only, sources]);
  const placed = usePlaces(drawn);

  const setOpen = useCallback((name: string, wanted: boolean) => {
    const now = new URLSearchParams(window.location.search).getAll("open").filter((one) => one !== name);
    set({ open: wanted ? [...now, name] : now });
  }, [set]);
  const press = useCallback(
    (box: Box) => {
      const node = box.nodes[0];
      if (box.kind === "group") setOpen(box.name, true);
      else if (node !== undefined) choose(box.name);
    },
    [setOpen, choose],
  );
  const show = useCallback(
    (key: string) => {
      const at = placed.where.get(key);
      if (!flow || !at) return;
      const { zoom } = flow.getViewport();
      void flow.setCenter(at.x + WIDTH / 2, at.y + HEIGHT / 2, { zoom: Math.max(zoom, 0.6) });
    },
    [flow, placed],
  );
  const move = useCallback(
    (key: string, way: Way) => {
      const next = neighbour(key, way, drawn.links, placed.where);
      if (next === null) return;
      show(next);
      // It may be outside of what is drawn: it can have the focus once it was moved into it.
      window.setTimeout(() => document.querySelector<HTMLElement>(`[data-box="${CSS.escape(next)}"]`)?.focus({ preventScroll: true }), 60);
    },
    [drawn, placed, show],
  );
  const marked = useMemo(() => {
    if (drawn.links.length <= MANY_LINKS) return null;
    const shown = (node: number) => node === chosen?.node || hits.has(node);
    return new Set(drawn.boxes.filter((box) => box.nodes.some(shown)).map((box) => box.key));
  }, [drawn, chosen, hits]);
  const nodes = useNodes(drawn.boxes, placed.where, { hits, chosen: chosen?.node ?? -1, searching: text.trim() !== "", move });
  useFit(flow, placed.current, `${opened} ${focus} ${far} ${sources}`);

  const field = useRef<HTMLDivElement>(null);
  const few = run.steps.length <= FEW;
  const next = useRef(0);
  const goTo = () => {
    const found = drawn.boxes.filter((box) => box.nodes.some((node) => hits.has(node)));
    const box = found[next.current++ % Math.max(1, found.length)];
    if (box) show(box.key);
  };
  if (run.steps.length === 0) return <Empty title={run.status === "running" ? "The run is making its plan" : "This run has no steps"} />;
  const groups = drawn.boxes.filter((box) => box.kind === "group").length;
  return (
    <div className="graph-tab">
      <div className="bar">
        <input
          type="search"
          aria-label="find steps in the graph"
          placeholder="id or status, Enter goes on"
          value={text}
          onChange={(event) => {
            next.current = 0;
            set({ find: event.target.value });
          }}
          onKeyDown={(event) => event.key === "Enter" && goTo()}
        />
        <span className="faint" role="status">
          {text ? `${many(hits.size, "step")} found` : many(run.steps.length, "step")}
          {groups > 0 && `, calls of ${many(groups, "step")} together`}
        </span>
        {[...open].map((name) => (
          <button key={name} type="button" onClick={() => setOpen(name, false)} aria-label={`close the group ${visible(name)}`}>
            {name === "*" ? "all calls" : <Text>{name}</Text>} ✕
          </button>
        ))}
        {run.steps.length > CROWDED && run.steps.length <= MOST && groups > 0 && !open.has("*") && (
          <button type="button" onClick={() => set({ open: ["*"] })}>
            each call by itself
          </button>
        )}
        {focused ? (
          <>
            <button type="button" aria-pressed="true" onClick={() => set({ focus: null, far: null })}>
              around <Text>{focused.id}</Text> ✕
            </button>
            <label className="tick">
              <input type="number" aria-label="steps away" min={1} max={20} value={far} onChange={(event) => set({ far: event.target.value })} /> away
            </label>
          </>
        ) : (
          chosen && (
            <button type="button" onClick={() => set({ focus: chosen.id })}>
              only around <Text>{chosen.id}</Text>
            </button>
          )
        )}
        {run.sources.length > 0 && (
          <label className="tick">
            <input type="checkbox" checked={sources} onChange={(event) => set({ sources: event.target.checked ? null : "0" })} /> sources
          </label>
        )}
        <span className="grow" />
        <button type="button" className="quiet" onClick={() => void flow?.fitView({ padding: 0.08 })}>
          fit
        </button>
        <button type="button" className="quiet" aria-label="larger" onClick={() => void flow?.zoomIn()}>
          +
        </button>
        <button type="button" className="quiet" aria-label="smaller" onClick={() => void flow?.zoomOut()}>
          −
        </button>
      </div>
      <div className="graph" ref={field} style={{ height: few ? tall(placed) : undefined }} role="group" aria-label={`graph of ${visible(run.run)}: arrow keys go from step to step`}>
        {placed.version === 0 && <p className="faint graph-wait">{placed.failed ? "The graph could not be laid out; the tab Steps has all of it." : "laying out …"}</p>}
        {placed.version > 0 && (
          <ReactFlow
            nodes={nodes}
            nodeTypes={TYPES}
            onInit={setFlow}
            onMove={(_, view) => field.current?.classList.toggle("far", view.zoom < FAR)}
            onNodeClick={(_, node) => press(node.data.box)}
            fitView
            fitViewOptions={{ padding: 0.08, maxZoom: 1 }}
            minZoom={SMALLEST}
            maxZoom={1.6}
            nodesDraggable={false}
            nodesConnectable={false}
            nodesFocusable={false}
            elementsSelectable={false}
            disableKeyboardA11y
            zoomOnDoubleClick={false}
            onlyRenderVisibleElements={drawn.boxes.length > CROWDED}
            proOptions={{ hideAttribution: true }}
          >
            <Links links={drawn.links} placed={placed} marked={marked} />
          </ReactFlow>
        )}
      </div>
      {few && <FewSteps run={run} choose={choose} />}
    </div>
  );
}

/** The height of the field of a small graph, in pixels: what it needs, within bounds. */
function tall(placed: Placed): number {
  const ys = [...placed.where.values()].map((place) => place.y);
  const high = ys.length === 0 ? 0 : Math.max(...ys) - Math.min(...ys) + HEIGHT;
  return Math.min(560, Math.max(200, high + 110));
}

/** Bring all into view when something else is looked at; not when a run grows. `view` says what is looked at. */
function useFit(flow: ReactFlowInstance<BoxNode> | null, ready: boolean, view: string): void {
  const last = useRef(view);
  useEffect(() => {
    if (!flow || !ready || view === last.current) return;
    last.current = view;
    void flow.fitView({ padding: 0.08, maxZoom: 1 });
  }, [flow, ready, view]);
}

interface Looks {
  hits: ReadonlySet<number>;
  chosen: number;
  searching: boolean;
  move: (key: string, way: Way) => void;
}

/** The nodes of the drawing; those that look as before stay the same objects, so that only the others are drawn anew. */
function useNodes(boxes: readonly Box[], where: ReadonlyMap<string, Point>, looks: Looks): BoxNode[] {
  const before = useRef(new Map<string, { sign: string; node: BoxNode }>());
  return useMemo(() => {
    const made = new Map<string, { sign: string; node: BoxNode }>();
    let first = true;
    for (const box of boxes) {
      const position = where.get(box.key);
      if (!position) continue;
      const hit = looks.searching && box.nodes.some((node) => looks.hits.has(node));
      const chosen = box.nodes.length > 0 && box.kind === "step" && box.nodes[0] === looks.chosen;
      const dim = looks.searching && !hit;
      const sign = JSON.stringify([box, position, hit, chosen, dim, first]);
      const old = before.current.get(box.key);
      const same = old?.sign === sign && old.node.data.move === looks.move;
      const data: BoxData = { box, chosen, hit, dim, first, move: looks.move };
      made.set(box.key, same && old ? old : { sign, node: { id: box.key, type: "box", position, data, width: WIDTH, height: HEIGHT, measured: SIZE, handles: [] } });
      first = false;
    }
    before.current = made;
    return [...made.values()].map((one) => one.node);
  }, [boxes, where, looks.hits, looks.chosen, looks.searching, looks.move]);
}

function Drawn({ data }: NodeProps<BoxNode>) {
  const { box, chosen, hit, dim, first, move } = data;
  const keys = (event: KeyboardEvent) => {
    const way = WAYS[event.key];
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    move(box.key, way);
  };
  const looks = `box box-${box.kind} box-${box.status}${chosen ? " chosen" : ""}${hit ? " hit" : ""}${dim ? " dim" : ""}`;
  return (
    <>
      <button type="button" className={`${looks} nopan nodrag`} data-box={box.key} tabIndex={first || chosen ? 0 : -1} aria-pressed={chosen} onKeyDown={keys}>
        <span className="box-name">
          <span aria-hidden="true">{box.status === "source" ? <SourceMark /> : <StatusMark status={box.status} title="" />}</span>
          <Text>{box.name}</Text>
        </span>{" "}
        <span className="box-facts">
          {box.kind === "group" ? <Counts counts={box.counts as Record<string, number>} /> : box.kind === "source" ? <span>source</span> : <span>{box.status}</span>}{" "}
          {box.seconds !== null && <Duration seconds={box.seconds} />}
        </span>
        <span className="unseen">{spoken(box)}</span>
      </button>
      {box.reason && (
        <span className="box-why" aria-hidden="true">
          <Text>{box.reason.slice(0, 300)}</Text>
        </span>
      )}
    </>
  );
}

const SourceMark = () => (
  <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" className="source-mark">
    <path d="M2.5 4.5c0-3 11-3 11 0v7c0 3-11 3-11 0zM2.5 4.5c0 3 11 3 11 0" />
  </svg>
);

/** What a box says beyond what is written on it. */
function spoken(box: Box): string {
  const why = box.reason ? `, ${visible(box.reason)}` : "";
  return box.kind === "group" ? `, ${many(box.nodes.length, "call")}${why}; press to open` : why;
}
