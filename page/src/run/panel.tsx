/* One step beside whatever tab is open: why it ran or not, from what, to what, and what went wrong. */

import { useMemo } from "react";
import type { Recorded, RunPage, Step } from "../api";
import { Bytes, Command, Digest, Duration, Link, Num, Pairs, ProblemBox, RunLink, Said, StatusMark, Text, to, visible } from "../shared";
import { Recordings } from "./artifacts";
import { History } from "./history";
import type { TabProps } from "./index";
import { facts } from "./roles";
import { Reasons, StepButton, Took } from "./words";

export function StepPanel({ run, chosen: step, choose }: TabProps & { chosen: Step }) {
  const recorded = useMemo(() => run.recorded.filter((one) => one.node === step.node), [run.recorded, step.node]);
  return (
    <aside className="step-panel" aria-label={`step ${visible(step.id)}`}>
      <header>
        <h2>
          <Text>{step.id}</Text>
        </h2>
        <StatusMark status={step.status} word />
        <Took step={step} />
        <span className="grow" />
        <button type="button" className="quiet" onClick={() => choose(null)} aria-label="close the step">
          ✕
        </button>
      </header>
      <p className="faint">
        <Link to={to.step(step.step)}>
          <Text>{step.step}</Text>
        </Link>
        {step.role && <> · {visible(step.role)}</>}
        {step.made_by && step.made_by !== run.run && (
          <>
            {" "}
            · made by <RunLink run={step.made_by} search={`?step=${encodeURIComponent(step.id)}`} />
          </>
        )}
      </p>
      <Going run={run} step={step} />
      {step.error && <Failed run={run} step={step} error={step.error} />}
      {step.reasons.length > 0 && (
        <section>
          <h3>{verb(step)}</h3>
          <Reasons reasons={step.reasons} />
        </section>
      )}
      {step.notes.length > 0 && (
        <section>
          <h3>Notes</h3>
          <ul className="reasons">
            {step.notes.map((note, i) => (
              <li key={i}>
                <Said>{note}</Said>
              </li>
            ))}
          </ul>
        </section>
      )}
      <Inputs run={run} step={step} choose={choose} />
      <Outputs step={step} />
      <StepMetrics step={step} />
      <RoleFacts recorded={recorded} />
      {recorded.some((one) => one.kind !== "role" && one.kind !== "tag") && (
        <section>
          <h3>Recorded</h3>
          <Recordings recorded={recorded} run={run} named={false} />
        </section>
      )}
      <Resources step={step} />
      <section>
        <h3>
          <Link to={to.step(step.step)}>History of this step</Link>
        </h3>
        <History step={step.step} id={step.id} limit={8} now={run.run} />
      </section>
    </aside>
  );
}

const verb = (step: Step): string => (step.status === "cached" ? "Why it was reused" : step.status === "skipped" ? "Why it was left out" : "Why it ran");

const visibleLines = (text: string): string => text.split("\n").map(visible).join("\n");

/** How far a step is that runs now. */
function Going({ run, step }: { run: RunPage; step: Step }) {
  const progress = run.progress[String(step.node)];
  if (progress === undefined || step.status !== "running") return null;
  const { done, total, text } = progress;
  return (
    <div className="going">
      <progress value={total ? done : undefined} max={total || undefined} aria-label={`progress of ${visible(step.id)}`} />
      <span className="num">
        {done}
        {total !== null && ` of ${total}`}
      </span>{" "}
      <Text>{text}</Text>
    </div>
  );
}

function Failed({ run, step, error }: { run: RunPage; step: Step; error: NonNullable<Step["error"]> }) {
  return (
    <section>
      <ProblemBox problem={error} />
      {error.traceback && (
        <details>
          <summary>traceback</summary>
          <pre className="code traceback" tabIndex={0}>
            {visibleLines(error.traceback)}
          </pre>
        </details>
      )}
      <p>
        Its inputs are kept: <Command>{`stepwell debug ${quoted(step.id)} ${run.run}`}</Command>
      </p>
      <p>
        <Link to={to.run(run.run, `?tab=logs&of=${encodeURIComponent(step.id)}`)}>what it printed</Link>
      </p>
    </section>
  );
}

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function Inputs({ run, step, choose }: { run: RunPage; step: Step; choose: (id: string) => void }) {
  if (step.inputs.length === 0) return null;
  return (
    <section>
      <h3>Inputs</h3>
      <Pairs pairs={step.inputs.map((input) => [input.name, <Given run={run} input={input} choose={choose} />])} />
    </section>
  );
}

function Given({ run, input, choose }: { run: RunPage; input: Step["inputs"][number]; choose: (id: string) => void }) {
  const maker = input.from === null ? undefined : run.steps.find((one) => one.node === input.from);
  const source = input.source === null ? undefined : run.sources[input.source];
  return (
    <>
      {maker && <StepButton id={maker.id} choose={choose} />}
      {source && (
        <Link to={to.data(source.name)}>
          <Text>{source.name}</Text>
        </Link>
      )}
      {!maker && !source && <Text>{input.text.slice(0, 300)}</Text>} {input.digest && <Digest digest={input.digest} />}
    </>
  );
}

function Outputs({ step }: { step: Step }) {
  if (step.outputs.length === 0) return null;
  return (
    <section>
      <h3>{step.status === "failed" ? "Outputs that were refused" : "Outputs"}</h3>
      <Pairs pairs={step.outputs.map((output) => [output.name || "output", <Kept output={output} />])} />
    </section>
  );
}

const Kept = ({ output }: { output: Step["outputs"][number] }) => (
  <>
    <Link to={to.artifact(output.digest, output.codec)}>
      <Text>{output.codec}</Text>
    </Link>{" "}
    <Bytes size={output.size} /> <span className="faint">{visible(output.note)}</span>
  </>
);

function StepMetrics({ step }: { step: Step }) {
  const names = Object.keys(step.metrics);
  if (names.length === 0) return null;
  return (
    <section>
      <h3>Metrics</h3>
      <Pairs pairs={names.map((name) => [name, <Num value={step.metrics[name]} />])} />
    </section>
  );
}

function RoleFacts({ recorded }: { recorded: Recorded[] }) {
  const found = recorded.filter((one) => one.kind === "role").flatMap((one) => facts(one.text));
  if (found.length === 0) return null;
  return (
    <section>
      <h3>What its role found</h3>
      <Pairs pairs={found.map(([name, value]) => [name, value.slice(0, 2000)])} />
    </section>
  );
}

function Resources({ step }: { step: Step }) {
  if (step.cpu === null && step.memory === null) return null;
  return (
    <section>
      <h3>Resources</h3>
      <p>
        processor <Duration seconds={step.cpu} /> · memory <Bytes size={step.memory} />
      </p>
    </section>
  );
}
