/* Addresses: what is shown is a function of the address, so that a copied address shows the same. */
import { useCallback, useSyncExternalStore, type AnchorHTMLAttributes, type MouseEvent } from "react";

const MOVED = "stepwell-moved";

function listen(listener: () => void): () => void {
  window.addEventListener("popstate", listener);
  window.addEventListener(MOVED, listener);
  return () => {
    window.removeEventListener("popstate", listener);
    window.removeEventListener(MOVED, listener);
  };
}

const here = (): string => window.location.pathname + window.location.search;

/** The path and what follows the question mark of the address. */
export const useAddress = (): string => useSyncExternalStore(listen, here);

/** The path, in parts that are decoded: "/runs/r12" is ["runs", "r12"]. */
export function usePath(): string[] {
  const address = useAddress();
  return pathParts(address.split("?")[0] ?? "/");
}

/** The parts of a path, decoded; what cannot be decoded stays as it is. */
export function pathParts(path: string): string[] {
  return path
    .split("/")
    .filter(Boolean)
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
}

/** Go to an address of this page. With `replace`, without a new entry to go back to. */
export function navigate(to: string, options: { replace?: boolean } = {}): void {
  if (to === here()) return;
  const elsewhere = to.split("?")[0] !== window.location.pathname;
  window.history[options.replace ? "replaceState" : "pushState"](null, "", to);
  window.dispatchEvent(new Event(MOVED));
  if (elsewhere) arrive();
}

/** Another page starts at its top, and has the keyboard. */
function arrive(): void {
  const main = document.querySelector("main");
  main?.scrollTo(0, 0);
  main?.focus({ preventScroll: true });
}

/** What follows the question mark, and a function that changes some of it: `set({ tab: "logs" })`; null removes. */
export function useSearch(): [URLSearchParams, (change: Record<string, string | string[] | null>, replace?: boolean) => void] {
  const address = useAddress();
  const set = useCallback((change: Record<string, string | string[] | null>, replace = true) => {
    const search = new URLSearchParams(window.location.search);
    for (const [name, value] of Object.entries(change)) {
      search.delete(name);
      if (Array.isArray(value)) for (const one of value) search.append(name, one);
      else if (value !== null && value !== "") search.set(name, value);
    }
    const text = search.toString();
    navigate(window.location.pathname + (text ? `?${text}` : ""), { replace });
  }, []);
  return [new URLSearchParams(address.split("?")[1] ?? ""), set];
}

/** A link within the page. Other keys and buttons do what the browser does with links. */
export function Link({ to, onClick, ...rest }: { to: string } & AnchorHTMLAttributes<HTMLAnchorElement>) {
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return <a href={to} onClick={follow} {...rest} />;
}

const part = encodeURIComponent;
/** Where things are. */
export const to = {
  runs: (search = "") => `/runs${search}`,
  run: (run: string, search = "") => `/runs/${part(run)}${search}`,
  step: (full: string) => `/steps/${part(full)}`,
  compare: (runs: string[]) => `/compare?${runs.map((run) => `run=${part(run)}`).join("&")}`,
  data: (name?: string) => (name === undefined ? "/data" : `/data/${part(name)}`),
  artifact: (digest: string, codec = "") => `/artifacts/${part(digest)}${codec ? `?codec=${part(codec)}` : ""}`,
  channels: () => "/channels",
  lock: () => "/lock",
};
