/* Tabs of which one is shown; which, is in the address. */
import { useEffect, useRef, type KeyboardEvent, type ReactNode } from "react";

export interface TabDef {
  id: string;
  label: ReactNode;
}

/** The row of tabs. What it shows has `role="tabpanel"` and `id={panel}`. */
export function Tabs({ tabs, value, onChange, label, panel = "panel" }: { tabs: TabDef[]; value: string; onChange: (id: string) => void; label: string; panel?: string }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // On a narrow screen the row is longer than what is seen of it.
    box.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [value]);
  const move = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const at = tabs.findIndex((tab) => tab.id === value);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (!next) return;
    onChange(next.id);
    box.current?.querySelector<HTMLElement>(`[data-tab="${CSS.escape(next.id)}"]`)?.focus();
  };
  return (
    <div className="tabs" role="tablist" aria-label={label} ref={box} onKeyDown={move}>
      {tabs.map((tab) => (
        <button
          key={tab.id}
          type="button"
          role="tab"
          data-tab={tab.id}
          aria-selected={tab.id === value}
          aria-controls={tab.id === value ? panel : undefined}
          tabIndex={tab.id === value ? 0 : -1}
          onClick={() => onChange(tab.id)}
        >
          {tab.label}
        </button>
      ))}
    </div>
  );
}
