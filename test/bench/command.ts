import { setTimeout as delay } from 'node:timers/promises';
import { procedures } from '../../src/libvirt/procedures.ts';
import { startBare } from './bare.ts';
import { startBridge } from './bridge.ts';
import { spread } from './numbers.ts';
import { type Peers, topic } from './peers.ts';
import { beside, type Section } from './report.ts';

const { domainShutdownFlags, domainCreateWithFlags } = procedures;

/** From a command's bytes handed to the broker's socket until its call's bytes are read at libvirt; start and shutdown in turns. */
export async function command(count: number): Promise<Section> {
  await using bridge = await startBridge({ interval: 30_000 });
  const { peers } = bridge;
  const [domain] = peers.libvirtd.fake.domains;
  if (!domain) throw new Error('no domain');
  domain.guest.powerButton = 1;
  const called = peers.libvirtd.called.next(call => call.procedure === domainShutdownFlags.number, 'shutdown');
  await carryOut(peers, 'OFF');
  const ask = (await called).bytes;
  await using bare = await startBare(peers, { on: 'publication', ask, answers: Infinity, say: ask });
  for (const each of bare.peers.libvirtd.fake.domains) each.guest.powerButton = 'ignored';

  const [times, least]: [number[], number[]] = [[], []];
  const warm = Math.min(100, count);
  for (let i = -warm; i < count; i++) {
    const [time, floorTime] = [await carryOut(peers, domain.active ? 'OFF' : 'ON'), await passOn(bare.peers)];
    if (i >= 0) {
      times.push(time);
      least.push(floorTime);
    }
    await delay(100);
  }
  return { title: 'MQTT command → libvirt call', rows: beside(spread(times), spread(least)) };
}

/** Milliseconds from the command to its call; returns when the command has been answered. */
async function carryOut(peers: Peers, payload: 'ON' | 'OFF'): Promise<number> {
  const { response } = topic.vm('vm-0');
  const done = peers.broker.published.next(
    message => message.topic === response && message.payload.includes('"succeeded"'),
    `the end of ${payload}`,
  );
  const time = await send(peers, payload, payload === 'ON' ? domainCreateWithFlags : domainShutdownFlags);
  await done;
  return time;
}

function passOn(peers: Peers): Promise<number> {
  return send(peers, 'OFF', domainShutdownFlags);
}

async function send({ libvirtd, broker }: Peers, payload: string, expected: { number: number; name: string }) {
  const called = libvirtd.called.next(({ procedure }) => procedure === expected.number, expected.name);
  const at = broker.send(topic.vm('vm-0').power, payload);
  return (await called).at - at;
}
