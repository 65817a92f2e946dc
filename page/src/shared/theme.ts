/* Light, dark, or as the system says. The choice is kept in the browser. */
import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";
const KEY = "stepwell.theme";
const listeners = new Set<() => void>();

/** What a browser kept for us; "" where it keeps nothing, or may not. */
export function kept(key: string): string {
  try {
    return window.localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

/** Keep a text in the browser, where that is allowed. */
export function keep(key: string, text: string): void {
  try {
    window.localStorage.setItem(key, text);
  } catch {
    return; // A browser that keeps nothing: the page works, and forgets.
  }
}

let theme: Theme = ((): Theme => {
  const text = kept(KEY);
  return text === "light" || text === "dark" ? text : "system";
})();

/** Put the theme onto the page. */
export function applyTheme(): void {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
}

export function setTheme(next: Theme): void {
  theme = next;
  keep(KEY, next);
  applyTheme();
  for (const listener of listeners) listener();
}

const system = window.matchMedia("(prefers-color-scheme: dark)");

function listen(listener: () => void): () => void {
  listeners.add(listener);
  system.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    system.removeEventListener("change", listener);
  };
}

export const useTheme = (): Theme => useSyncExternalStore(listen, () => theme);

/** Whether it is dark now: for what is drawn and not styled. */
export const useDark = (): boolean => useSyncExternalStore(listen, () => theme === "dark" || (theme === "system" && system.matches));

const seen = new Map<string, string>();

/** The colour behind a variable of the style sheet, as a canvas takes it. Asking the browser costs a layout: asked once a theme. */
export function colour(name: string): string {
  const key = `${theme} ${system.matches} ${name}`;
  const known = seen.get(key);
  if (known !== undefined) return known;
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const text = window.getComputedStyle(probe).color;
  probe.remove();
  seen.set(key, text);
  return text;
}

/** Colours that tell runs apart, readable in both themes; also by people who see few colours. */
export const SERIES = ["series-1", "series-2", "series-3", "series-4", "series-5", "series-6", "series-7", "series-8"] as const;
export const seriesVar = (index: number): string => `var(--${SERIES[index % SERIES.length]})`;
