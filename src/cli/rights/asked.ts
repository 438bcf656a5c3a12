import { expanded } from '../../app/every-domain.ts';
import { type Config, type HostConfig, hostConfigs } from '../../config/config.ts';
import { type Answer, ask } from '../../rights/ask.ts';
import { imagesOf } from '../../rights/image.ts';
import { type Right, rightsOf } from '../../rights/needs.ts';
import { withDomains } from '../domains.ts';
import { align } from '../terminal.ts';

type Subject = Pick<Right, 'vm' | 'permission'>;
type Asked = Subject & { for: readonly string[]; answer: Answer };

/** Whether libvirt allows what the configuration needs. `beyond`: VMs that this user may redefine without need. */
export interface AskedRights {
  document: { rights: readonly Asked[]; beyond: readonly string[] };
  lines: readonly string[];
  missing: boolean;
}

const redefine = 'domain.write';

/** Of all hosts. Changes nothing. Throws `Refusal`. */
export async function askRights(config: Config): Promise<AskedRights> {
  const all = await Promise.all(hostConfigs(await expanded(config)).map(askHost));
  const rights = all.flatMap(one => one.rights);
  const beyond = all.flatMap(one => one.beyond);
  return { document: { rights, beyond }, lines: text(rights, beyond), missing: rights.some(isMissing) };
}

function askHost(config: HostConfig): Promise<AskedRights['document']> {
  return withDomains(config, async (client, watch) => {
    const images = await imagesOf(client, watch, config.vms);
    const answerTo = async ({ vm, permission }: Subject): Promise<Answer> => {
      const target = watch.target(vm);
      const volume = images.get(vm)?.volume ?? null;
      return target ? ask(client, { ...target, volume }, permission) : 'unasked';
    };
    const rights: Asked[] = [];
    for (const { on: _, ...right } of rightsOf(config, { images, define: false })) {
      rights.push({ ...right, answer: await answerTo(right) });
    }
    const beyond: string[] = [];
    for (const { key: vm } of config.libvirt.readOnly ? [] : config.vms) {
      const needed = rights.some(each => each.vm === vm && each.permission === redefine);
      if (!needed && (await answerTo({ vm, permission: redefine })) === 'allowed') beyond.push(vm);
    }
    return { rights, beyond };
  });
}

function isMissing({ answer }: Asked): boolean {
  return answer === 'refused';
}

const words: Readonly<Record<Answer, string>> = { allowed: 'ok', refused: 'MISSING', unasked: 'not asked' };

function text(rights: readonly Asked[], beyond: readonly string[]): string[] {
  const rows = rights.map(({ vm, permission, answer, for: uses }) => [
    vm,
    permission,
    words[answer],
    `for ${uses.join(', ')}`,
  ]);
  return [
    'What libvirt allows (not asked is what the question itself would do now):',
    ...align(rows),
    ...beyond.map(vm => `  ${vm}: this user may also change its definition, and so is root on libvirt's machine.`),
  ];
}
