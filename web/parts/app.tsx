import { useEffect, useRef } from 'preact/hooks';
import { titled } from '../model/format.ts';
import { isWhole, type Vm } from '../model/live.ts';
import { usePage, useWatched } from '../store.ts';
import { Bridge } from './bridge.tsx';
import { Login } from './login.tsx';
import { Notices } from './notices.tsx';
import { Overview } from './overview.tsx';
import { VmView } from './vm.tsx';

/** The frame: which VM is shown, or all of them. */
export function App({ again }: { again: () => void }) {
  const page = usePage();
  const { live, link, locked } = page;
  const route = useWatched(keyInAddress, window, 'hashchange');
  const vms = Object.entries(live.vms).filter((entry): entry is [string, Vm] => isWhole(entry[1]));
  const several = vms.length > 1;
  const shown = vms.find(([key]) => key === route) ?? (several || route !== null ? undefined : vms[0]);
  const title = shown ? `${shown[1].label}: ${titled(shown[1].check.verdict)}` : 'dsm2mqtt';
  useEffect(() => {
    document.title = title;
  }, [title]);
  useFocus(shown?.[0] ?? '');
  return (
    <>
      <header class="top">
        <a href="#/" class="brand">
          dsm2mqtt
        </a>
        {several && shown && (
          <nav aria-label="VMs">
            <a href="#/">All VMs</a>
          </nav>
        )}
      </header>
      <main class={link.is === 'live' || !live.bridge ? '' : 'old'}>
        {locked !== null ? (
          <Login message={locked} again={again} />
        ) : shown ? (
          <VmView key={shown[0]} name={shown[0]} vm={shown[1]} page={page} />
        ) : vms.length > 0 ? (
          <Overview vms={vms} missing={route} />
        ) : (
          <p class="wait">{live.bridge ? 'The bridge has no VM to show yet.' : 'Connecting to the bridge …'}</p>
        )}
        {locked === null && live.bridge && <Bridge status={live.bridge} user={live.user} />}
      </main>
      <Notices page={page} again={again} />
    </>
  );
}

/** The VM's key; null: none. */
function keyInAddress(): string | null {
  return /^#\/([\w-]+)$/.exec(location.hash)?.[1] ?? null;
}

/** After a change of place, the heading has the focus: a screen reader reads where it is. */
function useFocus(place: string): void {
  const before = useRef<string | null>(null);
  useEffect(() => {
    if (before.current !== null && before.current !== place && location.hash !== '') {
      scrollTo(0, 0);
      document.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
    }
    before.current = place;
  }, [place]);
}
