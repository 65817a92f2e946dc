/* A run as the server tells it, and anew while it goes on. */

import { useCallback, useEffect, useRef, useState } from "react";
import type { UseQueryResult } from "@tanstack/react-query";
import type { RunPage } from "../api";
import { again, client, useAsk } from "../client";
import { useEvents } from "../shared";

/** The address of a run, or of something below it: `address("r12", "/logs")`. */
export const address = (run: string, below = ""): string => `/runs/${encodeURIComponent(run)}${below}`;

/** Pauses between two questions for the same, in milliseconds: three times what the answer took, within these bounds. */
const PAUSE = 250;
const LONGEST = 5_000;
/** How often a run that has ended is asked for: it may have been removed. One of many steps, which is much to send, rarely. */
const LOOK_AGAIN = 20_000;
const LARGE = 1500;

export interface Going {
  query: UseQueryResult<RunPage>;
  /** Grows with each change that the server tells. */
  beat: number;
}

/** A run, kept up to date: by events while it runs, else by a look now and then. */
export function useRun(run: string): Going {
  const path = address(run);
  const query = useAsk<RunPage>(path, { fresh: 2_000 });
  const [beat, setBeat] = useState(0);
  const renew = useRenewal(path);
  const running = query.data?.status === "running";
  const heard = useCallback(() => {
    setBeat((before) => before + 1);
    renew();
  }, [renew]);
  useEvents(running ? `${path}/events` : null, { change: heard, end: heard });
  const { status } = query.data ?? {};
  useEffect(() => {
    if (status !== undefined) again("/steps/"); // what is told of its steps over all runs ends with it
  }, [status]);
  const steps = query.data?.steps.length ?? -1;
  useEffect(() => {
    if (running || steps < 0) return;
    const timer = window.setInterval(() => document.hidden || renew(), steps > LARGE ? 10 * LOOK_AGAIN : LOOK_AGAIN);
    return () => window.clearInterval(timer);
  }, [running, steps, renew]);
  return { query, beat };
}

/** Ask again for all that is shown of a path. While an answer is awaited no second question is sent, but one after it. */
export function useRenewal(path: string): () => void {
  const state = useRef({ wanted: false, busy: false });
  return useCallback(() => {
    const now = state.current;
    now.wanted = true;
    if (now.busy) return;
    now.busy = true;
    const below = (key: string) => key === path || key.startsWith(`${path}/`) || key.startsWith(`${path}?`);
    const go = async () => {
      while (now.wanted) {
        now.wanted = false;
        const asked = performance.now();
        await client.invalidateQueries({ predicate: (one) => below(String(one.queryKey[0])) }, { cancelRefetch: false });
        await new Promise((done) => window.setTimeout(done, Math.min(LONGEST, Math.max(PAUSE, 3 * (performance.now() - asked)))));
      }
      now.busy = false;
    };
    void go();
  }, [path]);
}
