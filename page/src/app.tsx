/* The frame around all pages: where to go, whether the server is there, the keys, the theme. */
import { Component, lazy, Suspense, useEffect, useRef, useState, type ReactNode } from "react";
import { ask, query, tellReachable, Unreachable, useAsk, useReachable } from "./client";
import type { Project } from "./api";
import { Command, Empty, Link, navigate, Problem, setTheme, Text, to, useAddress, useKeys, usePath, useShortcuts, useTheme, Wait, type Theme } from "./shared";
import { RunsPage } from "./runs";

const RunPage = lazy(() => import("./run"));
const StepPage = lazy(() => import("./run").then((module) => ({ default: module.StepPage })));
const ArtifactPage = lazy(() => import("./artifact"));
const ComparePage = lazy(() => import("./compare"));
const DataPage = lazy(() => import("./data"));
const ChannelsPage = lazy(() => import("./channels"));
const LockPage = lazy(() => import("./lock"));

function Routed() {
  const [place, ...rest] = usePath();
  const name = rest.join("/");
  switch (place) {
    case undefined:
      return <RunsPage />;
    case "runs":
      if (/^g\d+$/.test(name)) return <Sweep group={name} />;
      return name ? <RunPage key={name} run={name} /> : <RunsPage />;
    case "steps":
      return <StepPage key={name} step={name} />;
    case "artifacts":
      return <ArtifactPage key={name} digest={name} />;
    case "compare":
      return <ComparePage />;
    case "data":
      return <DataPage key={name} name={name} />;
    case "channels":
      return <ChannelsPage />;
    case "lock":
      return <LockPage />;
    default:
      return (
        <Empty title="There is no such page">
          <Link to={to.runs()}>All runs</Link>
        </Empty>
      );
  }
}

/** A sweep is named where a run could be: it is shown as the list of its runs, whose address takes the place of this one. */
function Sweep({ group }: { group: string }) {
  useEffect(() => navigate(to.runs(query({ group })), { replace: true }), [group]);
  return <Wait />;
}

/** An error of the page itself is shown in its place; the rest of the page goes on. */
class Caught extends Component<{ children: ReactNode; at: string }, { error: unknown; at: string }> {
  state: { error: unknown; at: string } = { error: null, at: this.props.at };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  static getDerivedStateFromProps(props: { at: string }, state: { error: unknown; at: string }) {
    return props.at === state.at ? null : { error: null, at: props.at };
  }

  render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return /dynamically imported module|module script failed|Unable to preload/i.test(String(error)) ? <Lost /> : <Problem error={error} />;
  }
}

/** A part of the page could not be fetched: the server is gone, or is another version by now. Once it answers, all is loaded anew. */
function Lost() {
  const reachable = useReachable();
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    tellReachable(false);
    setError(new Unreachable());
  }, []);
  useEffect(() => {
    if (error instanceof Unreachable && reachable) ask("/project").then(() => window.location.reload(), setError);
  }, [error, reachable]);
  return error ? <Problem error={error} /> : null;
}

export function App() {
  const address = useAddress();
  const project = useAsk<Project>("/project", { fresh: 30_000 });
  useKeys([
    { keys: "g r", what: "go to the runs", act: () => navigate(to.runs()) },
    { keys: "g d", what: "go to the data", act: () => navigate(to.data()) },
    { keys: "g c", what: "go to channels and releases", act: () => navigate(to.channels()) },
    { keys: "g l", what: "go to the lock", act: () => navigate(to.lock()) },
    { keys: "?", what: "show these keys", act: showKeys },
  ]);
  const path = address.split("?")[0] ?? "/";
  return (
    <>
      <a className="skip" href="#content">
        to the content
      </a>
      <header className="top">
        <Link to={to.runs()} className="brand">
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
            <path d="M1 1h14v3H1zM3 5.5h10v3H3zM5 10h6v2H5zM7 13.2h2V15H7z" />
          </svg>
          <Text>{project.data?.name || "Stepwell"}</Text>
        </Link>
        <nav aria-label="pages">
          <Place to={to.runs()} path={path} also="/">
            Runs
          </Place>
          <Place to={to.data()} path={path}>
            Data
          </Place>
          <Place to={to.channels()} path={path}>
            Releases
          </Place>
          <Place to={to.lock()} path={path}>
            Lock
          </Place>
        </nav>
        <span className="grow" />
        <ThemeChoice />
        <button type="button" className="quiet" onClick={showKeys} aria-label="keys" title="keys (?)">
          ?
        </button>
      </header>
      <Standing />
      <main id="content" tabIndex={-1}>
        <Caught at={path}>
          <Suspense fallback={<Wait />}>
            <Routed />
          </Suspense>
        </Caught>
      </main>
      <Keys />
    </>
  );
}

function Place({ to: target, path, also, children }: { to: string; path: string; also?: string; children: ReactNode }) {
  const here = path === also || path === target || path.startsWith(`${target}/`);
  return (
    <Link to={target} aria-current={here ? "page" : undefined}>
      {children}
    </Link>
  );
}

/** Says that the server is gone, and asks until it is back. */
function Standing() {
  const reachable = useReachable();
  useEffect(() => {
    if (reachable) return;
    const timer = window.setInterval(() => {
      ask("/project").catch(() => tellReachable(false));
    }, 2000);
    return () => window.clearInterval(timer);
  }, [reachable]);
  return (
    <div role="status" aria-live="polite">
      {!reachable && (
        <div className="standing">
          The server of this page does not answer; what is shown may be old. <Command>stepwell ui</Command>
        </div>
      )}
    </div>
  );
}

const NEXT: Record<Theme, Theme> = { system: "dark", dark: "light", light: "system" };
const SIGNS: Record<Theme, string> = { system: "◐", dark: "●", light: "○" };

function ThemeChoice() {
  const theme = useTheme();
  return (
    <button type="button" className="quiet" onClick={() => setTheme(NEXT[theme])} aria-label={`theme: ${theme}`} title={`theme: ${theme}`}>
      {SIGNS[theme]}
    </button>
  );
}

function showKeys(): void {
  document.querySelector<HTMLDialogElement>("#keys")?.showModal();
}

function Keys() {
  const box = useRef<HTMLDialogElement>(null);
  const shortcuts = useShortcuts();
  return (
    <dialog id="keys" ref={box} aria-labelledby="keys-title" onClick={(event) => event.target === box.current && box.current?.close()}>
      <h2 id="keys-title">Keys</h2>
      <dl className="keys">
        {shortcuts.map((one) => (
          <div key={one.keys}>
            <dt>
              {one.keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{one.what}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit">close</button>
      </form>
    </dialog>
  );
}
