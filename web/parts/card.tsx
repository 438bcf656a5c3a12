import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Tone } from '../model/timeline.ts';

interface CardProps {
  id: string;
  title: string;
  beside?: ComponentChildren;
  /** It is closed at first. What is in it exists only while it is open, so that it costs nothing else. */
  folded?: true;
  children: ComponentChildren;
}

/** A part of the page with a heading. */
export function Card({ id, title, beside, folded, children }: CardProps) {
  const [open, setOpen] = useState(!folded);
  const head = [
    <h2 key="title" id={id}>
      {title}
    </h2>,
    beside,
  ];
  return (
    <section class="card" aria-labelledby={id}>
      {folded ? (
        <details onToggle={event => setOpen(event.currentTarget.open)}>
          <summary>{head}</summary>
          {open && children}
        </details>
      ) : (
        <>
          <div class="head">{head}</div>
          {children}
        </>
      )}
    </section>
  );
}

export function Button({ press, children }: { press: () => void; children: ComponentChildren }) {
  return (
    <button type="button" onClick={press}>
      {children}
    </button>
  );
}

export function Dot({ tone }: { tone: Tone }) {
  return <span class="dot" aria-hidden="true" style={{ background: `var(--${tone})` }} />;
}

/** Names, and what is known of them. */
export function Facts({ kind, of }: { kind: string; of: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class={kind}>
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface ChoiceProps<T extends string> {
  name: string;
  /** What is said of each. */
  options: Readonly<Record<T, string>>;
  value: T;
  choose: (value: T) => void;
}

/** One of several, as buttons that stay pressed. */
export function Choice<T extends string>({ name, options, value, choose }: ChoiceProps<T>) {
  return (
    <fieldset class="choice">
      <legend class="unseen">{name}</legend>
      {Object.entries<string>(options).map(([option, text]) => (
        <button key={option} type="button" aria-pressed={option === value} onClick={() => choose(option as T)}>
          {text}
        </button>
      ))}
    </fieldset>
  );
}
