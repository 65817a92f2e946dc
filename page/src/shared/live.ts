/* Server-sent events: what has changed, so that it is asked for again. */
import { useCallback, useEffect, useRef } from "react";
import { tellReachable } from "../client";

const PAUSES = [500, 1000, 2000, 5000];

/** Listen to an address below `/api`, e.g. "/events". `change` gets what a message carries; `end` ends it.
 *
 * A browser gives one server six connections for all its tabs: a page that is not seen lets go of its own, and asks for
 * `change` when it is seen again.
 */
export function useEvents(path: string | null, heard: { change: (data: unknown) => void; end?: () => void }): void {
  const latest = useRef(heard);
  useEffect(() => {
    latest.current = heard;
  });
  useEffect(() => {
    if (path === null) return;
    let source: EventSource | null = null;
    let timer = 0;
    let tries = 0;
    let over = false;
    let missed = false;

    const data = (event: Event): unknown => {
      try {
        return JSON.parse((event as MessageEvent<string>).data);
      } catch {
        return null;
      }
    };
    const open = () => {
      window.clearTimeout(timer);
      if (over || source || document.hidden) return;
      source = new EventSource(`/api${path}`);
      source.addEventListener("open", () => {
        tries = 0;
        tellReachable(true);
        if (missed) latest.current.change(null);
        missed = false;
      });
      source.addEventListener("change", (event) => latest.current.change(data(event)));
      source.addEventListener("end", () => {
        over = true;
        close();
        latest.current.end?.();
      });
      source.addEventListener("error", () => {
        // The browser tries again by itself only where the stream broke, not where it was refused: one way for both.
        close();
        missed = true;
        if (over) return;
        timer = window.setTimeout(open, PAUSES[Math.min(tries, PAUSES.length - 1)]);
        tries += 1;
      });
    };
    const close = () => {
      source?.close();
      source = null;
    };
    const seen = () => {
      if (document.hidden) {
        close();
        missed = true;
      } else open();
    };
    open();
    document.addEventListener("visibilitychange", seen);
    return () => {
      over = true;
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
      close();
    };
  }, [path]);
}

/** A function that acts at most each `pause` milliseconds: at once, and once more at the end of what came in between. */
export function useSlowly(act: () => void, pause = 1000): () => void {
  const latest = useRef(act);
  const state = useRef({ timer: 0, owed: false });
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => () => window.clearTimeout(state.current.timer), []);
  return useCallback(() => {
    const now = state.current;
    if (now.timer) {
      now.owed = true;
      return;
    }
    const rest = () => {
      now.timer = 0;
      if (!now.owed) return;
      now.owed = false;
      latest.current();
      now.timer = window.setTimeout(rest, pause);
    };
    latest.current();
    now.timer = window.setTimeout(rest, pause);
  }, [pause]);
}
