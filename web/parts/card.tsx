import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';

/** A part of the page with a heading. */
export function Card({ id, title, beside, children }: CardProps & { beside?: ComponentChildren }) {
  return (
    <section class="card" aria-labelledby={id}>
      <div class="head">
        <h2 id={id} tabIndex={-1}>
          {title}
        </h2>
        {beside}
      </div>
      {children}
    </section>
  );
}

interface CardProps {
  id: string;
  title: string;
  children: ComponentChildren;
}

/** One that is closed at first. What is in it exists only while it is open, so that it costs nothing else. */
export function Disclosure({ id, title, hint, children }: CardProps & { hint?: string | undefined }) {
  const [open, setOpen] = useState(false);
  return (
    <section class="card" aria-labelledby={id}>
      <details onToggle={event => setOpen(event.currentTarget.open)}>
        <summary>
          <h2 id={id}>{title}</h2>
          {hint && <span class="hint">{hint}</span>}
        </summary>
        {open && children}
      </details>
    </section>
  );
}

interface ButtonProps {
  press: () => void;
  tone?: string | undefined;
  children: ComponentChildren;
}

export function Button({ press, tone, children }: ButtonProps) {
  return (
    <button type="button" class={tone} onClick={press}>
      {children}
    </button>
  );
}

interface ChoiceProps<T> {
  name: string;
  options: readonly T[];
  text: (option: T) => string;
  value: T;
  choose: (value: T) => void;
}

/** One of several, as buttons that stay pressed. */
export function Choice<T extends string | number>({ name, options, text, value, choose }: ChoiceProps<T>) {
  return (
    <fieldset class="choice">
      <legend class="unseen">{name}</legend>
      {options.map(option => (
        <button key={option} type="button" aria-pressed={option === value} onClick={() => choose(option)}>
          {text(option)}
        </button>
      ))}
    </fieldset>
  );
}
