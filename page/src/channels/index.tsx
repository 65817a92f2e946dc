/* Releases, and the channels that people install from. */
import type { Channels } from "../api";
import { useAsk } from "../client";
import { Ago, Asked, Bytes, Digest, Empty, Num, Table, Text, useTitle, visible, type Column } from "../shared";

type Channel = Channels["channels"][number];
type Release = Channels["releases"][number];
type Entry = Channels["history"][number];

export default function ChannelsPage() {
  useTitle("Releases");
  const found = useAsk<Channels>("/channels", { keep: true });
  return (
    <>
      <h1>Releases</h1>
      <Asked query={found}>
        {(page) =>
          page.channels.length + page.releases.length + page.history.length === 0 ? (
            <Empty title="No release yet" command={["stepwell lock", "stepwell release", "stepwell promote 1.0.0 staging"]}>
              A release is a wheel that carries the model, its data and its lock. Channels say which one people get; both are shown here with who changed what, and why.
            </Empty>
          ) : (
            <>
              <section aria-labelledby="channels-title">
                <h2 id="channels-title">Channels</h2>
                {page.channels.length === 0 && <p className="faint">No channels are configured for this project.</p>}
                <div className="channels">
                  {page.channels.map((channel, at) => (
                    <Card key={channel.name} channel={channel} last={at === page.channels.length - 1} />
                  ))}
                </div>
              </section>
              <section>
                <h2>Releases</h2>
                {page.releases.length ? <Table columns={RELEASES} rows={page.releases} rowKey={(row) => row.version} caption="releases" /> : <p className="faint">None.</p>}
              </section>
              {page.history.length > 0 && (
                <section>
                  <h2>History</h2>
                  <Table columns={HISTORY} rows={page.history} rowKey={(_, at) => String(at)} caption="history" />
                </section>
              )}
            </>
          )
        }
      </Asked>
    </>
  );
}

function Card({ channel, last }: { channel: Channel; last: boolean }) {
  return (
    <article className={`panel channel ${last ? "last" : ""}`} aria-label={channel.name}>
      <header>
        <h3>{visible(channel.name)}</h3>
        {channel.version ? <strong className="version">{visible(channel.version)}</strong> : <span className="faint">empty</span>}
      </header>
      {channel.recalled.map((text) => (
        <p key={text} className="worse lines">
          recalled: {text}
        </p>
      ))}
      {channel.version && (
        <dl className="facts">
          <dt>since</dt>
          <dd>
            <Ago time={channel.since} /> by {visible(channel.who)}
          </dd>
          {channel.why && <dt>why</dt>}
          {channel.why && <dd className="lines">{channel.why}</dd>}
          {channel.commit && <dt>commit</dt>}
          {channel.commit && (
            <dd>
              <code>{visible(channel.commit.slice(0, 12))}</code>
            </dd>
          )}
          {channel.reproduced && <dt>reproduced</dt>}
          {channel.reproduced && <dd className="lines">{channel.reproduced}</dd>}
          {channel.data.map(([name, digest]) => [
            <dt key={`${name} dt`}>{visible(name)}</dt>,
            <dd key={`${name} dd`}>
              <Digest digest={digest} link={false} />
            </dd>,
          ])}
          {Object.entries(channel.metrics).map(([name, value]) => [
            <dt key={`${name} dt`}>{visible(name)}</dt>,
            <dd key={`${name} dd`}>
              <Num value={value} />
            </dd>,
          ])}
        </dl>
      )}
      {channel.next.map((next) => (
        <div key={next.version} className="next">
          {next.ok ? <span className="better">{visible(next.version)} may come</span> : <span className="odd">{visible(next.version)} may not come yet</span>}
          {next.why.length > 0 && (
            <ul>
              {next.why.map((why) => (
                <li key={why} className="lines">
                  {why}
                </li>
              ))}
            </ul>
          )}
        </div>
      ))}
    </article>
  );
}

const RELEASES: Column<Release>[] = [
  { id: "version", head: "version", stay: true, cell: (row) => <strong>{visible(row.version)}</strong> },
  { id: "channels", head: "channels", cell: (row) => row.channels.map((name) => <span key={name} className="tag">{visible(name)}</span>) },
  { id: "wheel", head: "wheel", cell: (row) => <code>{visible(row.wheel)}</code> },
  { id: "size", head: "size", align: "right", cell: (row) => <Bytes size={row.size} /> },
  { id: "yanked", head: "withdrawn", cell: (row) => (row.yanked ? <span className="worse lines">{row.yanked}</span> : <span className="faint">–</span>) },
];

const HISTORY: Column<Entry>[] = [
  { id: "time", head: "when", stay: true, cell: (row) => <Ago time={row.time} /> },
  { id: "verb", head: "what", cell: (row) => <Text>{row.verb}</Text> },
  { id: "version", head: "version", cell: (row) => <Text>{row.version}</Text> },
  { id: "channel", head: "channel", cell: (row) => <Text>{row.channel}</Text> },
  { id: "who", head: "who", cell: (row) => <Text>{row.who}</Text> },
  { id: "why", head: "why", cell: (row) => <span className="lines">{row.why}</span> },
];
