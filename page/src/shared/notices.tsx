/* What stands where there is nothing, or nothing yet, or an error. */
import type { UseQueryResult } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { Refused, Unreachable } from "../client";
import type { Problem as Problem_ } from "../api";
import { visible } from "./format";

/** A command to type, with a button that copies it. */
export function Command({ children }: { children: string }) {
  return (
    <span className="command">
      <code>{visible(children)}</code>
      <Copy text={children} />
    </span>
  );
}

/** A button that copies a text. */
export function Copy({ text, label = "copy" }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      window.setTimeout(() => setDone(false), 1500);
    } catch {
      setDone(false); // Not allowed: the text can still be marked.
    }
  };
  return (
    <button type="button" className="quiet" onClick={() => void copy()} aria-label={`${label}: ${text.slice(0, 200)}`}>
      {done ? "copied" : label}
    </button>
  );
}

/** Nothing here: what would be, and what to do so that it is. */
export function Empty({ title, children, command }: { title: string; children?: ReactNode; command?: string | string[] }) {
  const commands = command === undefined ? [] : Array.isArray(command) ? command : [command];
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children && <div className="faint">{children}</div>}
      {commands.map((one) => (
        <Command key={one}>{one}</Command>
      ))}
    </div>
  );
}

/** Runs that an answer leaves out, since their records cannot be read; nothing where there are none. */
export function LeftOut({ runs, most = 20 }: { runs: string[]; most?: number }) {
  if (runs.length === 0) return null;
  return (
    <div className="notice" role="note">
      Left out, since {runs.length === 1 ? "its record" : "their records"} cannot be read: {runs.slice(0, most).map(visible).join(", ")}
      {runs.length > most && ` and ${runs.length - most} more`}. <Command>stepwell verify</Command>
    </div>
  );
}

/** An error in the server's words: what, why, what to do. */
export function Problem({ error }: { error: unknown }) {
  if (error instanceof Unreachable)
    return (
      <div className="problem" role="alert">
        <strong>The server of this page does not answer.</strong>
        <p>It was stopped, or the machine sleeps. This page asks again by itself.</p>
        <Command>stepwell ui</Command>
      </div>
    );
  return <ProblemBox problem={error instanceof Refused ? error.problem : unknown(error)} />;
}

const unknown = (error: unknown): Problem_["error"] => ({
  code: "",
  what: error instanceof Error ? error.message : String(error),
  why: "",
  fixes: ["reload the page"],
  docs: "",
});

/** A text of Stepwell's, in which what stands in backticks is code. */
export function Said({ children }: { children: string }) {
  return (
    <span className="lines">
      {children.split(/`([^`\n]+)`/).map((part, at) => (at % 2 ? <code key={at}>{visible(part)}</code> : part))}
    </span>
  );
}

export function ProblemBox({ problem }: { problem: Problem_["error"] }) {
  return (
    <div className="problem" role="alert">
      <strong>
        {problem.code && <code>{visible(problem.code)}</code>} <Said>{problem.what}</Said>
      </strong>
      {problem.why && (
        <p>
          <Said>{problem.why}</Said>
        </p>
      )}
      {problem.fixes.length > 0 && (
        <ul>
          {problem.fixes.map((fix) => (
            <li key={fix}>
              <Said>{fix}</Said>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** What a question gives: its error, a quiet wait, or what `children` makes of the answer. */
export function Asked<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  // An answer that is there stays shown when asking again was in vain, unless what it tells is gone.
  const gone = query.error instanceof Refused;
  if (query.data !== undefined && !gone) return <>{children(query.data)}</>;
  if (query.error) return <Problem error={query.error} />;
  return <Wait />;
}

export const Wait = () => (
  <div className="wait" role="status">
    <span className="unseen">loading</span>
  </div>
);
