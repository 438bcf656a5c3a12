import { useRef, useState } from 'preact/hooks';
import { ask, now, Refused, wordsOf } from '../api.ts';
import { duration } from '../model/format.ts';

/** Asks for the token, says why, and how long the door is closed after too many wrong ones. */
export function Login({ message, again }: { message: string; again: () => void }) {
  const [said, say] = useState(message);
  const [until, close] = useState(0);
  const field = useRef<HTMLInputElement>(null);
  const left = (until - now()) / 1_000;
  const enter = async (event: Event) => {
    event.preventDefault();
    try {
      await ask('login', { body: { token: field.current?.value ?? '' } });
      again();
    } catch (error) {
      const seconds = error instanceof Refused ? error.seconds : null;
      say(seconds === null ? wordsOf(error) : '');
      close(now() + (seconds ?? 0) * 1_000);
      field.current?.select();
    }
  };
  return (
    <section class="card login" aria-labelledby="login">
      <h1 id="login">Token</h1>
      <p>This bridge shows its page to those who have its token. It is in the file that the configuration names.</p>
      <form onSubmit={event => void enter(event)}>
        <label>
          Token
          <input ref={field} type="password" autocomplete="current-password" required aria-describedby="said" />
        </label>
        <button type="submit" class="primary" disabled={left > 0}>
          Open
        </button>
      </form>
      <p id="said" class="said" role="status">
        {left > 0 ? `Too many wrong tokens. Try again in ${duration(left)}.` : said}
      </p>
    </section>
  );
}
