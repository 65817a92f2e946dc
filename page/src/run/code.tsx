/* What each step of a run ran, and how the tree differed from its commit. */

import type { Code } from "../api";
import { useAsk } from "../client";
import { Asked, Command, Diff, Empty, StatusMark, Text, visible } from "../shared";
import { stem } from "./boxes";
import { address } from "./asking";
import { Parts } from "./history";
import type { TabProps } from "./index";

export function CodeTab({ run, chosen, choose }: TabProps) {
  const names = new Map<string, string>(); // one call of each step stands for all: they share their code
  for (const step of run.steps) if (!names.has(stem(step.id))) names.set(stem(step.id), step.id);
  const shown = chosen ?? run.steps[0];
  if (!shown) return <Empty title="This run has no steps" />;
  return (
    <>
      <p className="code-where">
        {run.commit ? (
          <>
            Commit <code>{visible(run.commit)}</code>
            {run.dirty ? ", with changes that were not committed." : ", nothing changed."}
          </>
        ) : (
          "This run was not made in a git repository; what the steps ran is kept all the same."
        )}{" "}
        {run.file && (
          <>
            Pipeline file <code>{visible(run.file)}</code>.
          </>
        )}
      </p>
      {run.diff && (
        <details>
          <summary>changes against the commit</summary>
          <Diff diff={run.diff} label="changes against the commit" />
        </details>
      )}
      <div className="code-columns">
        <nav aria-label="steps with code">
          {[...names].map(([name, id]) => (
            <button key={name} type="button" className="link code-step" aria-pressed={name === stem(shown.id)} onClick={() => choose(id)}>
              <StatusMark status={run.steps.find((step) => step.id === id)?.status ?? "waiting"} />
              <Text>{name}</Text>
            </button>
          ))}
        </nav>
        <CodeOf run={run.run} node={shown.node} />
      </div>
      <p className="faint">
        Against another run: <Command>{`stepwell compare ${run.previous || "r1"} ${run.run} --code`}</Command>
      </p>
    </>
  );
}

function CodeOf({ run, node }: { run: string; node: number }) {
  const query = useAsk<Code>(address(run, `/code?node=${node}`), { keep: true });
  return (
    <div className="code-parts">
      <Asked query={query}>
        {(code) => (
          <>
            <h2>
              <Text>{code.step}</Text>
            </h2>
            <Parts parts={code.parts} step={code.step} />
          </>
        )}
      </Asked>
    </div>
  );
}
