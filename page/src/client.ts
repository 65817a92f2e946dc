/* Asking the server: one way for all pages.
 *
 * `ask` gives what an address answers, or throws `Refused` with the server's own words, or `Unreachable` when there was
 * no answer at all. Whether the server is there is kept beside, for the notice that a page shows about it.
 */
import { QueryClient, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import type { Problem } from "./api";

/** The server answered, and said no: what, why, and what to do. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem["error"],
  ) {
    super(problem.what);
  }
}

/** There was no answer. */
export class Unreachable extends Error {
  constructor() {
    super("The server of this page does not answer.");
  }
}

let reachable = true;
const listeners = new Set<() => void>();

export function tellReachable(now: boolean): void {
  if (now === reachable) return;
  reachable = now;
  for (const listener of listeners) listener();
  if (now) void client.invalidateQueries();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Whether the last question was answered. */
export const useReachable = (): boolean => useSyncExternalStore(listen, () => reachable);

function refusal(status: number, body: unknown): Problem["error"] {
  const error = (body as Problem | null)?.error;
  if (error && typeof error.what === "string") return { ...error, fixes: error.fixes ?? [] };
  if (status === 401 || status === 403)
    return {
      code: String(status),
      what: "This page is not allowed to ask the server.",
      why: "The server was started anew, or the page was not opened by the address that `stepwell ui` printed.",
      fixes: ["open the address that `stepwell ui` printed last"],
      docs: "",
    };
  return { code: String(status), what: `The server answered ${status}.`, why: "", fixes: [], docs: "" };
}

/** What an address below `/api` answers, e.g. `ask<RunList>("/runs?limit=100")`. */
export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api${path}`, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (signal?.aborted) throw error;
    tellReachable(false);
    throw new Unreachable();
  }
  tellReachable(true);
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok || body === null) throw new Refused(response.status, refusal(response.status, body));
  return body as T;
}

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: false,
      retry: (count, error) => error instanceof Unreachable && count < 2,
      retryDelay: 700,
      // Questions go to this machine: they are asked also without a network.
      networkMode: "always",
    },
  },
});

/** A question as a hook. `path` is its identity: two components that ask the same share one answer. */
export function useAsk<T>(path: string | null, options: { keep?: boolean; fresh?: number } = {}): UseQueryResult<T> {
  return useQuery<T>({
    queryKey: [path],
    queryFn: ({ signal }) => ask<T>(path as string, signal),
    enabled: path !== null,
    placeholderData: options.keep ? (before) => before as never : undefined,
    staleTime: options.fresh ?? 10_000,
  });
}

/** Ask again for everything below a path, e.g. "/runs". */
export function again(prefix: string): void {
  void client.invalidateQueries({ predicate: (query) => String(query.queryKey[0]).startsWith(prefix) });
}

/** `query({ q: "a b", run: ["r1", "r2"], none: undefined })` is "?q=a+b&run=r1&run=r2"; what is empty is left out. */
export function query(values: Record<string, string | number | string[] | undefined | null>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (Array.isArray(value)) for (const one of value) search.append(name, one);
    else if (value !== undefined && value !== null && value !== "") search.append(name, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}
