import { expanded } from '../../app/every-domain.ts';
import { type Config, type Host, type HostConfig, hostConfigs } from '../../config/config.ts';
import { type Answer, ask } from '../../rights/ask.ts';
import { imagesOf } from '../../rights/image.ts';
import { type Right, rightsOf } from '../../rights/needs.ts';
import { settled, withDomains } from '../domains.ts';
import { align, type Refusal } from '../terminal.ts';

type Subject = Pick<Right, 'vm' | 'permission'>;
type Asked = Subject & { for: readonly string[]; answer: Answer };

/** Whether libvirt allows what the configuration needs. `beyond`: VMs that this user may redefine without need. */
export interface AskedRights {
  document: { rights: readonly Asked[]; beyond: readonly string[] };
  lines: readonly string[];
  missing: boolean;
  /** Why other hosts could not be asked. */
  refused: readonly Refusal[];
}

const redefine = 'domain.write';

/** Of all hosts. Changes nothing. Throws `Refusal` if none can be asked. */
export async function askRights(config: Config): Promise<AskedRights> {
  const { done: asked, failures: refused } = await settled(hostConfigs(await expanded(config)).map(askHost));
  const rights = asked.flatMap(one => one.rights);
  const document = { rights, beyond: asked.flatMap(one => one.beyond) };
  return { document, lines: asked.flatMap(text), missing: rights.some(({ answer }) => answer === 'refused'), refused };
}

function askHost(config: HostConfig): Promise<AskedRights['document'] & { libvirt: Host }> {
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
    return { libvirt: config.libvirt, rights, beyond };
  });
}

const words: Readonly<Record<Answer, string>> = { allowed: 'ok', refused: 'MISSING', unasked: 'not asked' };

function text({ libvirt: { name, readOnly }, rights, beyond }: Awaited<ReturnType<typeof askHost>>): string[] {
  const who = name ?? 'libvirt';
  if (readOnly) return [`${who}: read_only is set, so nothing has to be allowed.`];
  const rows = rights.map(({ vm, permission, answer, for: uses }) => [
    vm,
    permission,
    words[answer],
    `for ${uses.join(', ')}`,
  ]);
  return [
    `What ${who} allows (not asked is what the question itself would do now, or of which the domain is not there):`,
    ...align(rows),
    ...beyond.map(vm => `  ${vm}: this user may also change its definition, and so is root on libvirt's machine.`),
  ];
}
