/* When each step ran, what it waited for, and which steps decided how long the run took. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState } from "react";
import { duration, Empty, StatusMark, Text, useNow, visible } from "../shared";
import type { TabProps } from "./index";
import { type Bar, bars, decisive, ticks } from "./timeline";

const ROW = 26;
const LONG_WAIT = 0.05;

export function TimelineTab({ run, chosen, choose }: TabProps) {
  const running = run.status === "running";
  const clock = useNow();
  const now = running ? Math.floor(clock) + 1 : 0;
  const all = useMemo(() => bars(run.steps, run.edges, run.started, now), [run.steps, run.edges, run.started, now]);
  const deciding = useMemo(() => decisive(all), [all]);
  const [under, setUnder] = useState<number | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: all.length, getScrollElement: () => box.current, estimateSize: () => ROW, overscan: 20 });
  const whole = Math.max(...all.map((bar) => bar.end), run.seconds ?? 0, 1e-3);
  const scale = ticks(whole, 8);
  const ids = useMemo(() => new Map(run.steps.map((step) => [step.node, step.id])), [run.steps]);
  const told = all.find((bar) => bar.node === (under ?? chosen?.node));
  if (all.length === 0) return <Empty title={running ? "No step has begun yet" : "No step of this run was executed"} />;
  return (
    <>
      <div className="bar faint timeline-told" role="status">
        {told ? <Told bar={told} ids={ids} /> : <Legend run={whole} />}
      </div>
      <div className="timeline" ref={box} tabIndex={0} role="region" aria-label="timeline">
        <div className="timeline-scale" aria-hidden="true">
          <span className="timeline-name" />
          <span className="timeline-track">
            {scale.map((tick) => (
              <span key={tick} className="tick-place" style={{ left: `${(tick / whole) * 100}%` }}>
                {place(tick)}
              </span>
            ))}
          </span>
        </div>
        <div className="timeline-body" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const bar = all[item.index] as Bar;
            const marks = [
              bar.node === chosen?.node ? "chosen" : "",
              told?.after === bar.node ? "waited-for" : "",
              deciding.has(bar.node) ? "deciding" : "",
            ].filter(Boolean);
            return (
              <button
                key={bar.node}
                type="button"
                className={`timeline-row ${marks.join(" ")}`}
                style={{ transform: `translateY(${item.start}px)`, height: ROW }}
                onClick={() => choose(bar.id)}
                onMouseEnter={() => setUnder(bar.node)}
                onMouseLeave={() => setUnder(null)}
                onFocus={() => setUnder(bar.node)}
                onBlur={() => setUnder(null)}
              >
                <span className="timeline-name">
                  <StatusMark status={bar.status} />
                  <Text>{bar.id}</Text>
                </span>{" "}
                <span className="unseen">{words(bar, ids)}</span>
                <Track bar={bar} whole={whole} scale={scale} />
              </button>
            );
          })}
        </div>
      </div>
    </>
  );
}

function Track({ bar, whole, scale }: { bar: Bar; whole: number; scale: number[] }) {
  const at = (seconds: number) => `${(Math.min(seconds, whole) / whole) * 100}%`;
  const width = (seconds: number) => `${(Math.max(0, seconds) / whole) * 100}%`;
  return (
    <span className="timeline-track">
      {scale.map((tick) => (
        <span key={tick} className="tick-line" style={{ left: at(tick) }} />
      ))}
      {!bar.reused && bar.start > bar.ready && <span className="wait-line" style={{ left: at(bar.ready), width: width(bar.start - bar.ready) }} />}
      <span className={`run-bar bar-${bar.status}${bar.reused ? " reused" : ""}`} style={{ left: at(bar.start), width: bar.reused ? undefined : width(bar.end - bar.start) }} />
      {!bar.reused && <TookTime bar={bar} whole={whole} at={at} />}
    </span>
  );
}

/** How long it took: in the bar where it is wide enough, else after it, else before it. */
function TookTime({ bar, whole, at }: { bar: Bar; whole: number; at: (seconds: number) => string }) {
  const took = duration(bar.end - bar.start);
  if (bar.end - bar.start > whole * 0.15)
    return (
      <span className="bar-time inside" style={{ left: at(bar.start) }}>
        {took}
      </span>
    );
  return bar.end > whole * 0.85 ? (
    <span className="bar-time before" style={{ right: `calc(100% - ${at(bar.start)} + 4px)` }}>
      {took}
    </span>
  ) : (
    <span className="bar-time" style={{ left: at(bar.end) }}>
      {took}
    </span>
  );
}

/** A place of the scale: "2 s", "0.5 s", "3 min 00 s". */
const place = (seconds: number): string => (seconds < 60 ? `${Number(seconds.toPrecision(3))} s` : duration(seconds));

/** What a row says beyond its step and how long it took. */
function words(bar: Bar, ids: ReadonlyMap<number, string>): string {
  if (bar.reused) return "was there already";
  const after = bar.after === null ? "" : `, after ${visible(ids.get(bar.after) ?? "")}`;
  const waited = bar.start - bar.ready > LONG_WAIT ? `, waited ${duration(bar.start - bar.ready)}` : "";
  return `began at ${duration(bar.start)}${after}${waited}, took `;
}

function Told({ bar, ids }: { bar: Bar; ids: ReadonlyMap<number, string> }) {
  const after = bar.after === null ? null : (ids.get(bar.after) ?? "");
  if (bar.reused)
    return (
      <span>
        <Text>{bar.id}</Text> was there already
      </span>
    );
  return (
    <span>
      <Text>{bar.id}</Text> took {duration(bar.end - bar.start)}, from {bar.guessed && "about "}
      {duration(bar.start)} on
      {after !== null && (
        <>
          ; last it waited for <Text>{after}</Text>
        </>
      )}
      {bar.start - bar.ready > LONG_WAIT && `; then ${duration(bar.start - bar.ready)} until a worker took it`}
    </span>
  );
}

const Legend = ({ run }: { run: number }) => (
  <span>
    {duration(run)} in all. Framed bars decided how long it took; a thin line is waiting for a worker; a diamond is what was there already.
  </span>
);
