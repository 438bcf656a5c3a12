import { render } from 'preact';
import { onDenied } from './api.ts';
import { Link } from './link.ts';
import { merged, only } from './model/live.ts';
import { App } from './parts/app.tsx';
import { update } from './store.ts';

/** The page: connects, puts together what it hears, and shows it. */

/** Milliseconds after which a new connection has surely named every VM. */
const settled = 3_000;
/** The VMs that the present connection has named. */
let named = new Set<string>();

const link = new Link({
  hear: messages => {
    for (const message of messages) {
      const { vm } = (message ?? {}) as { vm?: unknown };
      if (typeof vm === 'string') named.add(vm);
    }
    if (messages.length > 0) update(({ live }) => ({ live: messages.reduce<typeof live>(merged, live) }));
  },
  tell: state => {
    update(({ locked }) => ({ link: state, locked: state.is === 'live' ? null : locked }));
    if (state.is !== 'live') return;
    named = new Set();
    setTimeout(() => {
      if (named.size > 0) update(({ live }) => ({ live: only(live, named) }));
    }, settled);
  },
});

onDenied(message => update(() => ({ locked: message })));
const root = document.getElementById('app');
if (root) {
  root.replaceChildren();
  const again = () => {
    update(() => ({ locked: null }));
    link.again();
  };
  render(<App again={again} />, root);
}
link.start();
