/* Which columns are shown, and in which order. */
import { useRef, useState } from "react";
import { visible } from "../shared";

export function ColumnChoice({ all, shown, onChange, own }: { all: string[]; shown: string[]; onChange: (columns: string[] | null) => void; own: boolean }) {
  const box = useRef<HTMLDialogElement>(null);
  const [find, setFind] = useState("");
  const others = all.filter((name) => !shown.includes(name));
  const match = (name: string) => name.toLowerCase().includes(find.toLowerCase());
  const move = (name: string, by: number) => {
    const next = shown.filter((one) => one !== name);
    next.splice(Math.max(0, shown.indexOf(name) + by), 0, name);
    onChange(next);
  };
  return (
    <>
      <button type="button" onClick={() => box.current?.showModal()}>
        Columns
      </button>
      <dialog ref={box} aria-labelledby="columns-title" className="columns" onClick={(event) => event.target === box.current && box.current?.close()}>
        <h2 id="columns-title">Columns</h2>
        <input type="search" aria-label="find a column" placeholder="find a column" value={find} onChange={(event) => setFind(event.target.value)} />
        <ul>
          {shown.filter(match).map((name) => (
            <li key={name}>
              <label>
                <input type="checkbox" checked onChange={() => onChange(shown.filter((one) => one !== name))} /> {visible(name)}
              </label>
              <button type="button" className="quiet" aria-label={`${name} to the left`} disabled={shown[0] === name} onClick={() => move(name, -1)}>
                ↑
              </button>
              <button type="button" className="quiet" aria-label={`${name} to the right`} disabled={shown[shown.length - 1] === name} onClick={() => move(name, 1)}>
                ↓
              </button>
            </li>
          ))}
          {others.filter(match).slice(0, 200).map((name) => (
            <li key={name}>
              <label>
                <input type="checkbox" checked={false} onChange={() => onChange([...shown, name])} /> {visible(name)}
              </label>
            </li>
          ))}
        </ul>
        <form method="dialog" className="bar">
          <button type="button" disabled={!own} onClick={() => onChange(null)}>
            as at first
          </button>
          <span className="grow" />
          <button type="submit">close</button>
        </form>
      </dialog>
    </>
  );
}
