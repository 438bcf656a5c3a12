import { render } from 'preact';
import { hearClock } from './api.ts';
import { Link, type PageState } from './link.ts';
import { merged, nothing } from './model/live.ts';
import { App } from './parts/app.tsx';

/** The page: connects, puts together what it hears, and shows it. */

const root = document.getElementById('app');
root?.replaceChildren();
let page: PageState = { live: nothing, link: { is: 'connecting', round: 0, said: null } };
/** What the present connection has told. */
let told = nothing;

function show(change: Partial<PageState> = {}): void {
  page = { ...page, ...change };
  if (root) render(<App {...page} again={() => link.again()} />, root);
}

const link = new Link({
  hear: messages => {
    for (const message of messages) if ('now' in message) hearClock(message.now);
    told = messages.reduce(merged, told);
    // Until it has told all, what an earlier one has told is shown.
    if (told.user !== undefined) show({ live: told });
  },
  tell: link => {
    if (link.round > page.link.round) told = nothing;
    show({ link });
  },
});

addEventListener('online', () => link.again());
addEventListener('hashchange', () => {
  show();
  scrollTo(0, 0);
  // A screen reader reads where it is.
  document.querySelector('h1')?.focus({ preventScroll: true });
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => show());
// Countdowns, and what is said of times.
setInterval(() => document.hidden || show(), 1_000);
document.addEventListener('visibilitychange', () => link.look(document.hidden));
link.look(document.hidden);
void link.run();
