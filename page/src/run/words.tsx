/* What is said of a step in several places, in the same words. */

import type { Reason, Step } from "../api";
import { Diff, Duration, RunLink, Said, Text, visible } from "../shared";

/** The id of a step, which chooses it. */
export function StepButton({ id, choose }: { id: string; choose: (id: string) => void }) {
  return (
    <button type="button" className="link" onClick={() => choose(id)} title={visible(id)}>
      <Text>{id}</Text>
    </button>
  );
}

/** How long a step took; of a reused one, how long it took then. */
export function Took({ step }: { step: Step }) {
  if (step.status === "cached" && step.seconds !== null)
    return (
      <span className="faint" title="what it took when it was made">
        (<Duration seconds={step.seconds} />)
      </span>
    );
  return <Duration seconds={step.seconds} since={step.status === "running" ? step.started : null} />;
}

/** The first reason, and how many more there are. */
export function Why({ step }: { step: Step }) {
  const first = step.error ? step.error.what : (step.reasons[0]?.text ?? "");
  const more = step.error ? 0 : step.reasons.length - 1;
  return (
    <span className="value faint" title={visible(first)}>
      <Said>{first.split("\n")[0]?.slice(0, 300) ?? ""}</Said>
      {more > 0 && ` and ${more} more`}
    </span>
  );
}

/** Why a step ran or was reused: each reason, with what was before and is now, and the edit where it is one. */
export function Reasons({ reasons, made }: { reasons: Reason[]; made?: string }) {
  if (reasons.length === 0) return null;
  return (
    <ul className="reasons">
      {reasons.map((reason, i) => (
        <li key={i}>
          <Said>{reason.text}</Said>
          {made && i === 0 && (
            <>
              {" "}
              <RunLink run={made} />
            </>
          )}
          <Changed reason={reason} />
          {reason.diff && <Diff diff={reason.diff} label={`difference of ${reason.name ?? "the code"}`} />}
        </li>
      ))}
    </ul>
  );
}

function Changed({ reason }: { reason: Reason }) {
  const { before, after } = reason;
  if (reason.diff || !before || !after || (reason.text.includes(before) && reason.text.includes(after))) return null;
  return (
    <div className="faint">
      <code>{brief(before)}</code> → <code>{brief(after)}</code>
    </div>
  );
}

/** A value as it was and is, with its digests by their first signs. */
const brief = (text: string): string => visible(text.replace(/[0-9a-f]{64}/g, (digest) => digest.slice(0, 10))).slice(0, 200);
