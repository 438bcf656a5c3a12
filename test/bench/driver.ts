import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Libvirt } from '../../src/libvirt/client.ts';
import type { DomainEvent } from '../../src/libvirt/events.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { virsh } from '../lab/lab.ts';
import { type Published, SinkBroker } from './broker.ts';
import { Child } from './child.ts';
import { nodeOptions } from './image.ts';
import { Moments } from './moments.ts';
import { spread } from './numbers.ts';
import { configuration, isState, topic } from './peers.ts';
import { floor, measured, type Section } from './report.ts';

const uri = 'test+unix:///default';

/**
 * So many domains of libvirt's test driver in a real libvirtd: from the bridge's start until it has published each
 * domain's state, and from a call that pauses or resumes one until its new state. Beside it a client that reads every
 * definition and state, and hears of the same event. This driver has no bulk statistics, so there is no poll.
 */
export async function driver(domains: number, changes: number): Promise<Section> {
  const folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-bench-'));
  await using broker = await SinkBroker.listen();
  // The driver's domains last as long as a connection to it.
  await using client = await Libvirt.open({ uri: parseUri(uri) });
  const names = Array.from({ length: domains }, (_, i) => `vm-${i}`);
  await create(folder, names);
  const config = join(folder, 'config.yaml');
  await writeFile(config, configuration(folder, uri, broker.port, names));

  const readAt = performance.now();
  const refs = (await client.domains()).filter(({ name }) => name.startsWith('vm-'));
  await Promise.all(refs.flatMap(ref => [client.xml(ref), client.state(ref)]));
  const read = performance.now() - readAt;

  const unknown = new Set(names.map(name => topic.vm(name).state));
  const known = (message: Published) => isState(message) && unknown.delete(message.topic) && unknown.size === 0;
  const startedAt = performance.now();
  const last = broker.published.next(known, 'every state', 180_000);
  await using _ = Child.start('subject', [config, '30000', 'null'], nodeOptions);
  const started = (await last).at - startedAt;
  // What follows a start is over.
  await delay(6_000);

  const heard = new Moments<DomainEvent>();
  client.onEvent(event => heard.note(event));
  await client.subscribe(['lifecycle']);
  const [published, told]: [number[], number[]] = [[], []];
  for (let i = 0; i < 2 * changes; i++) {
    const ref = refs[(i >> 1) % refs.length];
    if (!ref) throw new Error('no domain');
    const state = broker.published.next(({ topic: name }) => name === topic.vm(ref.name).state, ref.name);
    const event = heard.next(({ domain }) => domain.uuid === ref.uuid, ref.name).then(() => performance.now());
    const at = performance.now();
    await (i % 2 === 0 ? client.suspend(ref) : client.resume(ref));
    published.push((await state).at - at);
    told.push((await event) - at);
  }
  await rm(folder, { recursive: true, force: true });
  return {
    title: `${domains} domains of libvirt’s test driver`,
    rows: [
      measured('process start → last first state', 's', { median: started / 1_000 }),
      floor('list, definitions and states, read by one client', 's', { median: read / 1_000 }),
      measured('pause or resume → publication', 'ms', spread(published)),
      floor('pause or resume → event', 'ms', spread(told)),
    ],
  };
}

async function create(folder: string, names: readonly string[]): Promise<void> {
  const commands = names.map(async name => {
    const file = join(folder, `${name}.xml`);
    const os = '<os><type>hvm</type></os>';
    await writeFile(file, `<domain type='test'><name>${name}</name><memory>65536</memory>${os}</domain>`);
    return `create ${file}`;
  });
  await virsh('-c', uri, (await Promise.all(commands)).join('; '));
}
