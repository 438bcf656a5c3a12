import { useState } from 'preact/hooks';
import { useCommands, type VmProps } from '../commands.ts';
import type { LinkState } from '../link.ts';
import type { Action } from '../model/actions.ts';
import { Console, LastBoot } from './console.tsx';
import { Asked } from './dialogs.tsx';
import { Graphs } from './graphs.tsx';
import { Headline } from './headline.tsx';
import { LoaderCard } from './loader.tsx';
import { Screen } from './screen.tsx';
import { Timeline } from './timeline.tsx';

type Props = Pick<VmProps, 'name' | 'vm' | 'events'> & { link: LinkState };

/** One VM: how it is, what it did, what it shows. */
export function VmView({ link: { is, round }, ...common }: Props) {
  const { answers, send } = useCommands(common.name);
  const [asked, ask] = useState<Action | null>(null);
  const press = (action: Action) => (action.confirm === 'once' ? void send(action.word) : ask(action));
  const props: VmProps = { ...common, connected: is === 'live', round, answers, send, press };
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
