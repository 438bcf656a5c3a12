import { useEffect, useState } from 'preact/hooks';
import { useCommands, type VmProps } from '../commands.ts';
import type { PageState } from '../link.ts';
import type { Action } from '../model/actions.ts';
import { percent, titled } from '../model/format.ts';
import type { Live } from '../model/live.ts';
import { toneOf } from '../model/timeline.ts';
import { Bridge, Notices } from './bridge.tsx';
import { Dot } from './card.tsx';
import { Console, LastBoot } from './console.tsx';
import { Asked } from './dialogs.tsx';
import { Graphs } from './graphs.tsx';
import { Headline } from './headline.tsx';
import { LoaderCard } from './loader.tsx';
import { Login } from './login.tsx';
import { Screen } from './screen.tsx';
import { Timeline } from './timeline.tsx';

/** The frame: which VM is shown, or all of them. */
export function App({ live, link, again }: PageState & { again: () => void }) {
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
      <header>
        <a href="#/">dsm2mqtt</a>
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
          <Overview vms={live.vms} missing={route} />
        ) : (
          <p class="wait">{bridge ? 'The bridge has no VM to show yet.' : 'Connecting to the bridge …'}</p>
        )}
        {bridge && link.is !== 'locked' && <Bridge status={bridge} user={user} />}
      </main>
      <Notices live={live} link={link} again={again} />
    </>
  );
}

/** All VMs, a card each. `missing`: a key in the address that no VM has. */
function Overview({ vms, missing }: Pick<Live, 'vms'> & { missing: string | null }) {
  return (
    <>
      <h1 tabIndex={-1}>VMs</h1>
      {missing !== null && <p class="said">There is no VM with the key {missing} here.</p>}
      <ul class="cards">
        {Object.entries(vms).map(([key, { label, host, state, check, stats }]) => (
          <li key={key} class="card">
            <h2>
              <a href={`#/${key}`}>{label}</a>
              {host !== null && <small> on {host}</small>}
            </h2>
            <p class="verdict">
              <Dot tone={toneOf(check)} />
              {titled(check.verdict)}
            </p>
            <p class="reason">{check.reason}</p>
            <p class="facts">
              <span>Power {state.power?.toLowerCase() ?? 'not known'}</span>
              <span>CPU {percent(stats.cpu.percent)}</span>
              <span>Memory {percent(stats.memory.used_percent)}</span>
            </p>
          </li>
        ))}
      </ul>
    </>
  );
}

/** One VM: how it is, what it did, what it shows. */
function VmView({ link, ...common }: Pick<VmProps, 'name' | 'vm' | 'events'> & Pick<PageState, 'link'>) {
  const { answers, send } = useCommands(common.name);
  const [asked, ask] = useState<Action | null>(null);
  const press = (action: Action) => (action.confirm === 'once' ? void send(action.word) : ask(action));
  const props: VmProps = { ...common, connected: link.is === 'live', round: link.round, answers, send, press };
  const { boot, loader } = common.vm;
  return (
    <div class="vm">
      <div>
        <Headline {...props} />
        {loader?.under_way && <LoaderCard {...props} />}
      </div>
      <div class="was">
        <Timeline {...props} />
        <Graphs {...props} />
      </div>
      <div>
        <Screen {...props} />
        <Console {...props} />
        {boot && <LastBoot boot={boot} />}
        {!loader?.under_way && <LoaderCard {...props} />}
      </div>
      {asked && <Asked {...props} action={asked} close={() => ask(null)} />}
    </div>
  );
}
