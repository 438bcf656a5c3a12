import { procedures } from '../../src/libvirt/procedures.ts';
import { startNothing } from './bare.ts';
import { startBridge } from './bridge.ts';
import { floor, measured, type Section } from './report.ts';

const MiB = 2 ** 20;
/** At 30 s. */
const day = 2_880;
const { number: statsCall } = procedures.connectGetAllDomainStats;

/**
 * A day's worth of polls, a few milliseconds apart, beside a Node that has loaded what a bridge is made of. Resident is
 * with all the garbage that V8 sees no reason to collect: none is forced. At the end of all, one is, which shows what
 * the bridge keeps.
 */
export async function memory(polls = day): Promise<Section> {
  await using bare = await startNothing('mqtt', 'pino', 'node:http');
  const rows = [];
  for (const { domains, over, apart } of plans) {
    await using bridge = await startBridge({ domains, interval: apart, gc: true });
    let left = polls;
    const isLast = ({ procedure }: { procedure: number }) => procedure === statsCall && --left === 0;
    await bridge.peers.libvirtd.called.next(isLast, `${polls} polls`, 180_000);
    const { resident } = await bridge.child.usage();
    const { heap } = await bridge.child.usage({ gc: true });
    const least = (await bare.usage()).resident / MiB;
    const name = domains === 1 ? 'one domain' : `${domains} domains`;
    rows.push(
      measured(`resident, ${name}`, 'MiB', { median: resident / MiB }, { limit: least + over, on: 'median' }),
      floor('a Node that has imported mqtt, pino and node:http', 'MiB', { median: least }),
      measured(`heap, collected, ${name}`, 'MiB', { median: heap / MiB }),
    );
  }
  return {
    title: `memory after ${polls} polls, accelerated: ${plans.map(({ apart }) => apart).join(' or ')} ms apart`,
    rows,
  };
}

/** `over`: MiB more than a bare Node that it may have. `apart`: milliseconds between polls. */
const plans = [
  { domains: 1, over: 15, apart: 4 },
  { domains: 10, over: 22, apart: 8 },
];
