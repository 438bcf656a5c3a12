/** What discovery finds, in words. */
import { afterEach, expect, test } from 'vitest';
import { Findhost, type Found } from '../../../src/checks/findhost/client.ts';
import { parsePacket } from '../../../src/checks/findhost/packet.ts';
import { type DiscoveryTarget, discovery } from '../../../src/checks/probes/discovery.ts';
import { encodeReply, type Fields, Findhostd, serials } from '../../fakes/dsm/findhostd.ts';

const target: DiscoveryTarget = { macs: ['52:54:00:12:34:56'], addresses: [], answeredBefore: false };
const limits = { timeout: 5_000, signal: new AbortController().signal };

const closing: { close: () => Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map(part => part.close()));
});

function heard(fields: Partial<Fields>): Found {
  const packet = parsePacket(encodeReply(fields));
  if (!packet) throw new Error('that is no answer');
  return { kind: 'heard', packet, from: '192.168.1.20', ms: 1_200 };
}

const probe = (found: Found, rest: Partial<DiscoveryTarget> = {}) =>
  discovery({ find: async () => found }, { ...target, ...rest }, limits);

const unknown = { name: null, model: null, version: null, build: null, update: null };

test.each<[Partial<Fields>, string]>([
  [{}, 'DSM answers as diskstation, DS918+, DSM 7.1.1-42962 Update 6.'],
  [{ update: 0 }, 'DSM answers as diskstation, DS918+, DSM 7.1.1-42962.'],
  [{ update: null, model: null }, 'DSM answers as diskstation, DSM 7.1.1-42962.'],
  [unknown, 'DSM answers.'],
])('ready: %j', async (fields, explanation) => {
  expect(await probe(heard(fields))).toMatchObject({ kind: 'ready', ms: 1_200, explanation });
});

test.each<[Partial<Fields>, string, string]>([[{ state: 5 }, 'booting', 'It says that it is still booting.']])(
  'not ready: %j',
  async (fields, kind, explanation) => {
    expect(await probe(heard(fields))).toMatchObject({ kind, explanation, ms: 1_200 });
  },
);

test('tells what the device is, at the address where it answers if it names none', async () => {
  expect((await probe(heard({ address: null, httpPort: 5_050 }))).device).toEqual({
    ...{ name: 'diskstation', model: 'DS918+', version: '7.1.1-42962', update: 6 },
    ...{ address: '192.168.1.20', httpPort: 5_050, httpsPort: 5_001 },
  });
});

test('silence of one that answered before', async () => {
  expect(await probe({ kind: 'silence' }, { answeredBefore: true })).toEqual({
    ...{ kind: 'silent', ms: null, device: null },
    explanation: "DSM did not answer Synology's discovery (UDP port 9999) within 5s, and it did before.",
  });
});

test('silence of one that never answered', async () => {
  expect(await probe({ kind: 'silence' })).toEqual({
    ...{ kind: 'not_applicable', ms: null, device: null },
    explanation:
      "DSM did not answer Synology's discovery (UDP port 9999) within 5s, and never did before: a firewall, or a container without the host's network, may keep its answers out.",
  });
});

test.each([
  [4_983.27, '5s'],
  [642.8, '643ms'],
])('of %f ms it says %s', async (timeout, words) => {
  const silent = { find: async (): Promise<Found> => ({ kind: 'silence' }) };
  const { explanation } = await discovery(silent, target, { ...limits, timeout });
  expect(explanation).toContain(` within ${words}, `);
});

test('a port that is taken says nothing of DSM', async () => {
  const reason = 'another program on this machine has UDP port 9999 to itself';
  expect(await probe({ kind: 'unavailable', reason }, { answeredBefore: true })).toEqual({
    ...{ kind: 'not_applicable', ms: null, device: null },
    explanation:
      "Synology's discovery (UDP port 9999) cannot be used: another program on this machine has UDP port 9999 to itself.",
  });
});

test('nobody is asked for a VM without a network card', async () => {
  const find = () => Promise.reject(new Error('it was asked'));
  expect(await discovery({ find }, { ...target, macs: [] }, limits)).toMatchObject({ kind: 'not_applicable' });
});

test('over the network, and without a serial number', async () => {
  const nas = await Findhostd.listen({ address: '127.31.7.20', state: 5 });
  const findhost = new Findhost({ port: nas.port, broadcasts: () => [] });
  closing.push(findhost, nas);
  const found = await discovery(findhost, { ...target, addresses: [nas.address] }, limits);
  expect(found).toMatchObject({ kind: 'booting', device: { address: nas.address } });
  for (const serial of serials) expect(JSON.stringify(found)).not.toContain(serial);
});
