/* The keyboard: each part of the page says its keys while it is shown; `?` lists them. */
import { useEffect, useRef, useSyncExternalStore } from "react";

/** `keys` is one key ("j", "Enter", "?") or two after one another ("g r"). */
export interface Shortcut {
  keys: string;
  what: string;
  act: () => void;
}

const active = new Set<{ current: Shortcut[] }>();
const listeners = new Set<() => void>();
let listed: Shortcut[] = [];
let first = "";
let firstAt = 0;

function relist(): void {
  listed = [...active].flatMap((one) => one.current);
  for (const listener of listeners) listener();
}

/** Keys that work while the calling component is shown. What was shown last wins. */
export function useKeys(shortcuts: Shortcut[]): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  useEffect(() => {
    active.add(latest);
    relist();
    return () => {
      active.delete(latest);
      relist();
    };
  }, []);
}

export const useShortcuts = (): Shortcut[] =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => listed,
  );

/** Whether what has the focus takes letters itself. */
const writes = (target: EventTarget | null): boolean => {
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "range", "button"].includes(target.type);
  return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName));
};

function act(keys: string): boolean {
  const found = [...active].reverse().flatMap((one) => one.current).find((one) => one.keys === keys);
  found?.act();
  return found !== undefined;
}

function press(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (writes(event.target)) {
    if (event.key === "Escape") (event.target as HTMLElement).blur();
    return;
  }
  // A dialog that is open has the keys.
  if (document.querySelector("dialog[open]")) return;
  // A button or a link that has the focus takes Enter and space itself.
  const own = event.target instanceof HTMLElement && event.target.closest("a, button, summary, input, [role=tab]");
  if (own && (event.key === "Enter" || event.key === " ")) return;
  const two = first && Date.now() - firstAt < 1500 ? `${first} ${event.key}` : "";
  first = "";
  if ((two && act(two)) || act(event.key)) event.preventDefault();
  else if ([...active].some((one) => one.current.some((shortcut) => shortcut.keys.startsWith(`${event.key} `)))) {
    first = event.key;
    firstAt = Date.now();
  }
}

/** Listen to the keyboard; once, when the page starts. */
export function listenToKeys(): void {
  window.addEventListener("keydown", press);
}
