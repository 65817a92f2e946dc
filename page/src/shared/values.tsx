/* Values as they are shown everywhere: the same number looks the same on each page. */
import { useEffect, useState, type ReactNode } from "react";
import { useSyncExternalStore } from "react";
import type { Json, Num as Number_ } from "../api";
import { ago, bytes, date, delta, duration, even, many, num, plain, short, visible } from "./format";
import { Link, to } from "./router";

let now = Date.now() / 1000;
const ticking = new Set<() => void>();
let timer = 0;

function tick(listener: () => void): () => void {
  ticking.add(listener);
  if (!timer)
    timer = window.setInterval(() => {
      if (document.hidden) return;
      now = Date.now() / 1000;
      for (const one of ticking) one();
    }, 1000);
  return () => {
    ticking.delete(listener);
    if (!ticking.size) {
      window.clearInterval(timer);
      timer = 0;
    }
  };
}

/** The time now in seconds since 1970, each second anew; all that show it share one clock. */
export const useNow = (): number => useSyncExternalStore(tick, () => now);

/** How long ago; the date is its title. Rendered again only when its words change. */
export function Ago({ time }: { time: number }) {
  const [text, setText] = useState(() => ago(time, Date.now() / 1000));
  useEffect(() => {
    const renew = () => setText(ago(time, Date.now() / 1000));
    renew();
    return tick(renew);
  }, [time]);
  return (
    <time dateTime={new Date(time * 1000).toISOString()} title={date(time)} className="nowrap">
      {text}
    </time>
  );
}

/** A duration; where it is null, the time that has passed since `since`, growing. */
export function Duration({ seconds, since }: { seconds: number | null; since?: number | null }) {
  return seconds === null && since ? <Growing since={since} /> : <span className="num">{duration(seconds)}</span>;
}

function Growing({ since }: { since: number }) {
  return <span className="num">{duration(Math.max(0, Math.floor(useNow() - since)))}</span>;
}

export const Bytes = ({ size }: { size: number | null }) => (
  <span className="num" title={size === null ? undefined : many(size, "byte")}>
    {bytes(size)}
  </span>
);

/** A number; `column` where others stand above and below it. */
export const Num = ({ value, column = false }: { value: Number_ | null | undefined; column?: boolean }) => (
  <span className={typeof value === "string" ? "num odd" : "num"} title={value === null || value === undefined ? undefined : String(value)}>
    {column ? even(value) : num(value)}
  </span>
);

/** A difference; `direction` says which way is better. */
export function Delta({ value, direction = "" }: { value: number | null | undefined; direction?: "" | "higher" | "lower" }) {
  if (value === null || value === undefined) return null;
  const better = value === 0 || !direction ? "" : value > 0 === (direction === "higher") ? "better" : "worse";
  return (
    <span className={`num delta ${better}`} title={better || undefined}>
      {delta(value)}
      {better && <span className="unseen"> {better}</span>}
    </span>
  );
}

/** A value of a parameter on one line, cut by the style sheet where it is long; whole in its title. */
export const Value = ({ value }: { value: Json | undefined }) => {
  const text = plain(value);
  return (
    <span className={typeof value === "number" ? "num value" : "value"} title={text.length > 24 ? text.slice(0, 2000) : undefined}>
      {text.slice(0, 400)}
    </span>
  );
};

/** A text from somewhere else: as it is, but with signs that cannot be seen made seen. */
export const Text = ({ children }: { children: string }) => <bdi>{visible(children)}</bdi>;

/** The first signs of a digest, a link to what is known of it. */
export function Digest({ digest, codec = "", length = 10, link = true }: { digest: string; codec?: string; length?: number; link?: boolean }) {
  if (!digest) return <span className="faint">–</span>;
  const text = <code className="digest">{short(digest, length)}</code>;
  return link ? (
    <Link to={to.artifact(digest, codec)} title={visible(digest)}>
      {text}
    </Link>
  ) : (
    <span title={visible(digest)}>{text}</span>
  );
}

export const RunLink = ({ run, search = "" }: { run: string; search?: string }) => (
  <Link to={to.run(run, search)} className="num">
    {visible(run)}
  </Link>
);

/** Names and values, a line each. */
export const Pairs = ({ pairs }: { pairs: readonly (readonly [string, ReactNode])[] }) => (
  <dl className="facts">
    {pairs.map(([name, value], i) => (
      <div key={i} className="fact">
        <dt>
          <Text>{name}</Text>
        </dt>
        <dd>{typeof value === "string" ? <Text>{value}</Text> : value}</dd>
      </div>
    ))}
  </dl>
);

/** Short words on things; the first `most` of them, and how many more there are. */
export function Tags({ tags, most = tags.length }: { tags: string[]; most?: number }) {
  if (tags.length === 0) return null;
  return (
    <span className="tags">
      {tags.slice(0, most).map((tag) => (
        <Tag key={tag}>
          <Text>{tag}</Text>
        </Tag>
      ))}
      {tags.length > most && (
        <span className="faint" title={tags.slice(most).map(visible).join(", ")}>
          +{tags.length - most}
        </span>
      )}
    </span>
  );
}

export const Tag = ({ children }: { children: ReactNode }) => <span className="tag">{children}</span>;
