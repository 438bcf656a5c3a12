/** The checks of a guest that is not DSM: what is asked when, and what they come to. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { retest } from '../../../src/checks/engine/retry-times.ts';
import { off } from '../../model/samples.ts';
import { up, Ward } from '../ward.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-22T08:00:00.000Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
const page = { port: 443, tls: true, path: '/', host: null, status: 200 };
const policy = { guest: 'other', ports: [22], http: [page], ssh: 22, agent: true } as const;
const cheap = ['agent', 'bridge', 'http', 'neighbour', 'ssh', 'tcp'];

async function settled(changes: ConstructorParameters<typeof Ward>[0] = {}): Promise<Ward> {
  const ward = new Ward({ ...policy, ...changes }).begin();
  await pass(1_100);
  return ward;
}

const asked = (ward: Ward) => [...new Set(ward.asked.splice(0))].sort();

test('all that is configured is asked, and nothing of DSM', async () => {
  const ward = await settled();
  expect(ward.check).toMatchObject({
    ...{ verdict: 'up', reason: 'The guest answers at 10.0.0.20.', certificateDays: 90 },
    dsm: { model: null, address: '10.0.0.20' },
  });
  expect(asked(ward)).toEqual([...cheap, 'ping'].sort());
  expect(Object.keys(ward.check.probes).sort()).toEqual([...cheap, 'ping'].sort());
});

test('what is not configured is not asked', async () => {
  const ward = await settled({ ports: [], http: [], ssh: null, agent: false });
  expect(asked(ward)).toEqual(['bridge', 'neighbour', 'ping']);
  expect(ward.check).toMatchObject({ verdict: 'up', certificateDays: null });
});

test('the cheap schedule asks everything but a ping, until something differs', async () => {
  const ward = await settled({ schedule: '* * * * *', deepSchedule: null });
  ward.asked = [];
  await pass(60_000);
  expect(asked(ward)).toEqual(cheap);
  await ward.live({ http: 'wrong' }, 60_000 + retest);
  expect(asked(ward)).toContain('ping');
  expect(ward.check).toMatchObject({
    ...{ verdict: 'degraded', cause: 'page_wrong', problem: true, reachable: true },
    reason: 'The guest answers at 10.0.0.20, but a page not as expected. http is wrong.',
  });
  await ward.live({ http: 'ok' }, 60_000);
  expect(ward.check).toMatchObject({ verdict: 'up', problem: false });
});

test('from power on it boots, starts, and is up; then it is gone', async () => {
  const ward = new Ward({ ...policy, schedule: '* * * * *' }).begin(off);
  const silent = { neighbour: 'silent', ping: 'silent', tcp: 'silent', http: 'silent', ssh: 'silent' } as const;
  ward.powerOn({ ...up, ...silent, agent: 'silent' });
  await pass(10_000);
  await ward.live({ ...up, http: 'refused' }, 10_000);
  await ward.live(up, 10_000);
  expect(ward.check.bootSeconds).toBeGreaterThan(15);
  await ward.live({ ...silent, neighbour: 'ok', agent: 'ok' }, 120_000);
  expect(ward.verdicts).toEqual(['off', 'booting', 'starting', 'up', 'unreachable']);
  expect(ward.check.cause).toBe('silent');
  await ward.live({ ping: 'ok' }, 60_000);
  expect(ward.check.reason).toBe(
    'The VM runs, but nothing of it that is checked answers. tcp is silent. http is silent. ssh is silent.',
  );
});

test('an agent that hangs delays no other probe for ever, and is named', async () => {
  const ward = new Ward({ ...policy, failuresBeforeDown: 1 });
  ward.stuck.add('agent');
  ward.begin();
  await pass(10_000);
  expect(ward.check).toMatchObject({ verdict: 'degraded', cause: 'agent_missing' });
});
