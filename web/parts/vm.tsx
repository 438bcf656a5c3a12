import { useCommands } from '../commands.ts';
import type { Vm } from '../model/live.ts';
import type { PageState } from '../store.ts';
import { Console, LastBoot } from './console.tsx';
import { Graphs } from './graphs.tsx';
import { Headline } from './headline.tsx';
import { LoaderCard } from './loader.tsx';
import { Screen } from './screen.tsx';
import { Timeline } from './timeline.tsx';

/** One VM: how it is, what it did, what it shows. */
export function VmView({ name, vm, page }: { name: string; vm: Vm; page: PageState }) {
  const { answers, send } = useCommands(name);
  const { is, round } = page.link;
  const common = { name, vm, connected: is === 'live', send };
  const under = vm.loader?.under_way === true;
  return (
    <div class="vm">
      <div>
        <Headline {...common} answers={answers} />
        {under && <LoaderCard {...common} />}
      </div>
      <div class="was">
        <Timeline name={name} vm={vm} grown={`${round} ${page.live.events[name] ?? 0} ${vm.check.since}`} />
        <Graphs name={name} vm={vm} round={round} />
      </div>
      <div>
        <Screen name={name} vm={vm} />
        <Console name={name} round={round} />
        {vm.boot && <LastBoot boot={vm.boot} />}
        {!under && <LoaderCard {...common} />}
      </div>
    </div>
  );
}
