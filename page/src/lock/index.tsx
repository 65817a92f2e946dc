/* The lock: the facts of what is up to date, and in what the newest runs differ from it. */
import type { Json, LockPage as Page } from "../api";
import { useAsk } from "../client";
import { Asked, Copy, Empty, Link, Said, Source, Tabs, to, useSearch, useTitle, visible } from "../shared";
import { Facts } from "../data";

const NAMED: Record<string, string> = { pipeline: "Pipelines", data: "Data", step: "Steps", model: "Models", environment: "Environment", metrics: "Metrics" };

export default function LockPage() {
  useTitle("Lock");
  const [search, set] = useSearch();
  const found = useAsk<Page>("/lock", { keep: true });
  const view = search.get("view") === "text" ? "text" : "facts";
  return (
    <>
      <h1>Lock</h1>
      <Asked query={found}>
        {(page) =>
          page.exists ? (
            <>
              <Standing page={page} />
              <Tabs
                tabs={[
                  { id: "facts", label: "Facts" },
                  { id: "text", label: visible(page.file) },
                ]}
                value={page.lock === null ? "text" : view}
                onChange={(id) => set({ view: id === "facts" ? null : id })}
                label="views of the lock"
              />
              <div id="panel" role="tabpanel" aria-label={view}>
                {view === "text" || page.lock === null ? (
                  <>
                    <p>
                      <Copy text={page.text} label="copy all" />
                    </p>
                    <Source text={page.text} label={page.file} />
                  </>
                ) : (
                  <Blocks lock={page.lock} />
                )}
              </div>
            </>
          ) : (
            <Empty title="No lock yet" command={["stepwell lock", "stepwell lock --check"]}>
              A lock writes down what a pipeline gave from which data and code, so that a change shows in a review. It is a file of the project, to be committed.
            </Empty>
          )
        }
      </Asked>
    </>
  );
}

function Standing({ page }: { page: Page }) {
  if (page.stale.length === 0) return <p className="better">The newest runs are as locked.</p>;
  return (
    <div className="notice" role="status">
      <strong>Not as locked</strong>
      <ul>
        {page.stale.map((line) => (
          <li key={line}>
            <Said>{line}</Said>
          </li>
        ))}
      </ul>
      <span className="faint">
        See what would be written: <code>stepwell lock --check</code>
      </span>
    </div>
  );
}

function Blocks({ lock }: { lock: Json }) {
  if (lock === null || typeof lock !== "object" || Array.isArray(lock)) return <Facts value={lock} />;
  const parts = Object.entries(lock);
  const plainly = parts.filter(([, value]) => value === null || typeof value !== "object");
  return (
    <>
      {plainly.length > 0 && <Facts value={Object.fromEntries(plainly)} />}
      {parts
        .filter(([, value]) => value !== null && typeof value === "object" && Object.keys(value).length > 0)
        .map(([kind, value]) => (
          <section key={kind}>
            <h2>{NAMED[kind] ?? visible(kind)}</h2>
            <Kind kind={kind} value={value} />
          </section>
        ))}
    </>
  );
}

/** The blocks of a kind: names and values where they are that, else each to be opened; open where there are few. */
function Kind({ kind, value }: { kind: string; value: Json }) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return <Facts value={value} />;
  const entries = Object.entries(value);
  if (entries.every(([, one]) => one === null || typeof one !== "object")) return <Facts value={value} />;
  return entries.map(([name, one]) => <Block key={name} kind={kind} name={name} value={one} open={entries.length <= OPEN} />);
}

const OPEN = 4;

function Block({ kind, name, value, open }: { kind: string; name: string; value: Json; open: boolean }) {
  if (value === null || typeof value !== "object")
    return (
      <dl className="facts">
        <dt>{visible(name)}</dt>
        <dd>
          <Facts value={value} />
        </dd>
      </dl>
    );
  return (
    <details className="block" open={open}>
      <summary>{visible(name)}</summary>
      {kind === "data" && (
        <p className="indented">
          <Link to={to.data(name)}>its versions, and the runs that read them</Link>
        </p>
      )}
      <Facts value={value} />
    </details>
  );
}
