import { useEffect } from 'preact/hooks';
import type { LinkState } from '../link.ts';
import { titled } from '../model/format.ts';
import type { Live } from '../model/live.ts';
import { Bridge } from './bridge.tsx';
import { Login } from './login.tsx';
import { Notices } from './notices.tsx';
import { Overview } from './overview.tsx';
import { VmView } from './vm.tsx';

/** All that the page shows. */
export interface PageState {
  live: Live;
  link: LinkState;
}

interface Props extends PageState {
  again: () => void;
}

/** The frame: which VM is shown, or all of them. */
export function App({ live, link, again }: Props) {
  const { bridge, user } = live;
  const route = /^#\/([\w-]+)$/.exec(location.hash)?.[1] ?? null;
  const vms = Object.entries(live.vms);
  const [key, vm] = vms.find(([name]) => name === route) ?? (vms.length === 1 && route === null ? vms[0] : null) ?? [];
  const title = vm ? `${vm.label}: ${titled(vm.check.verdict)}` : 'dsm2mqtt';
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <>
      <header class="top">
        <a href="#/" class="brand">
          dsm2mqtt
        </a>
        {vms.length > 1 && vm && (
          <nav aria-label="VMs">
            <a href="#/">All VMs</a>
          </nav>
        )}
      </header>
      <main class={link.is === 'live' || !bridge ? '' : 'old'}>
        {link.is === 'locked' ? (
          <Login message={link.said ?? ''} again={again} />
        ) : key && vm ? (
          <VmView key={key} name={key} vm={vm} events={live.events[key] ?? 0} link={link} />
        ) : vms.length > 0 ? (
          <Overview vms={vms} missing={route} />
        ) : (
          <p class="wait">{bridge ? 'The bridge has no VM to show yet.' : 'Connecting to the bridge …'}</p>
        )}
        {bridge && link.is !== 'locked' && <Bridge status={bridge} user={user} />}
      </main>
      <Notices link={link} bridge={bridge} again={again} />
    </>
  );
}
