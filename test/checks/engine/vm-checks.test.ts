/** A VM's checks from power on to off: when they are made, of what, and what they come to. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { longest } from '../../../src/checks/engine/ask.ts';
import { retest } from '../../../src/checks/engine/retry-times.ts';
import { unknownDsm } from '../../../src/model/check.ts';
import type { Activity } from '../../../src/model/commands.ts';
import { reduce } from '../../../src/model/reduce.ts';
import { active, domain, off, offBy, otherUuid } from '../../model/samples.ts';
import { device, gone, up, Ward, workOn } from '../ward.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-22T08:00:00.000Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
const lower = ['bridge', 'neighbour', 'tcp'];
const whole = [...lower, 'ping', 'web', 'dsm', 'discovery'];

/** Running since before the bridge, and checked once. */
async function settled(changes: ConstructorParameters<typeof Ward>[0] = {}): Promise<Ward> {
  const ward = new Ward(changes).begin();
  await pass(1_100);
  ward.asked = [];
  return ward;
}

describe('a bridge that has just begun', () => {
  test('knows nothing, and has asked everything a second later', async () => {
    const ward = new Ward().begin();
    expect(ward.vm.check).toBeNull();
    await pass(1_100);
    expect(ward.check).toMatchObject({
      ...{ verdict: 'up', reachable: true, problem: false, reason: 'DSM answers at 10.0.0.20.', nextStep: null },
      ...{ latency: 1, checkedAt: '2026-11-22T08:00:01.000Z', dsm: device },
    });
    expect([...new Set(ward.asked)].sort()).toEqual([...whole].sort());
    expect(Object.keys(ward.check.probes).sort()).toEqual([...whole].sort());
    expect(ward.check.probes.tcp).toEqual({
      ...{ outcome: 'ok', ms: 1, explanation: 'tcp is all.', at: '2026-11-22T08:00:01.000Z' },
    });
  });

  test('calls nothing down that it has looked at only once', async () => {
    const ward = new Ward();
    ward.world = { ...gone };
    ward.begin();
    await pass(1_100);
    expect(ward.vm.check).toBeNull();
    await pass(retest);
    expect(ward.check).toMatchObject({ verdict: 'unreachable', cause: 'silent', failures: 0, problem: true });
  });

  test('asks DSM though libvirt is away, if it knows where', async () => {
    const ward = new Ward({ address: 'nas.lan' });
    await ward.command();
    expect(ward.check).toMatchObject({ verdict: 'up', reason: 'DSM answers at 10.0.0.21.' });
  });
});

describe('power on', () => {
  async function start(changes: ConstructorParameters<typeof Ward>[0] = {}): Promise<Ward> {
    const ward = new Ward(changes).begin(off);
    expect(ward.check.verdict).toBe('off');
    await pass(60_000);
    ward.powerOn(gone);
    return ward;
  }

  test('it boots, starts its services, and is up: how long that took is told', async () => {
    const ward = await start();
    expect(ward.check).toMatchObject({ verdict: 'booting', problem: false, wasUp: false, bootSeconds: null });
    await pass(40_000);
    expect(ward.check).toMatchObject({ verdict: 'booting', problem: false, failures: 0 });
    expect(ward.check.reason).toMatch(/^It was powered on less than a minute ago/);
    await ward.live({ ...up, dsm: 'starting', discovery: 'starting' }, 10_000);
    expect(ward.check).toMatchObject({ verdict: 'starting', problem: false, reachable: false });
    await ward.live(up, 10_000);
    expect(ward.check).toMatchObject({ verdict: 'up', problem: false, wasUp: true });
    expect(ward.check.bootSeconds).toBeGreaterThan(50);
    expect(ward.check.bootSeconds).toBeLessThan(60);
    expect(ward.verdicts).toEqual(['off', 'booting', 'starting', 'up']);
  });

  test('its time to boot is over: unreachable, found twice', async () => {
    const ward = await start({ bootGrace: 60_000 });
    await pass(59_000);
    expect(ward.check).toMatchObject({ verdict: 'booting', problem: false });
    await pass(8_000);
    expect(ward.check).toMatchObject({ verdict: 'booting', failures: 1 });
    await pass(retest);
    expect(ward.check).toMatchObject({ verdict: 'unreachable', problem: true });
  });

  test('an update may take four times as long', async () => {
    const ward = await start({ bootGrace: 60_000 });
    await ward.live({ ...gone, discovery: 'updating' }, 230_000);
    expect(ward.check).toMatchObject({ cause: 'updating', problem: false });
    await pass(30_000);
    expect(ward.check).toMatchObject({ cause: 'updating_late', problem: true });
  });

  test('however long it was up before', async () => {
    const ward = await settled({ bootGrace: 60_000 });
    await pass(3_600_000);
    await ward.command({ ...gone, discovery: 'updating' });
    expect(ward.check).toMatchObject({ cause: 'updating', problem: false });
    await pass(200_000);
    expect(ward.check).toMatchObject({ cause: 'updating', problem: false });
    await pass(60_000);
    expect(ward.check).toMatchObject({ cause: 'updating_late', problem: true });
  });

  test('a DSM that lacks a port has booted all the same', async () => {
    const ward = await start();
    await ward.live({ ...up, tcp: 'some' }, 1_100 + 2 * retest);
    expect(ward.check.verdict).toBe('degraded');
    expect(ward.check.bootSeconds).toBeGreaterThan(0);
  });

  test('a reset is another power on', async () => {
    const ward = await start();
    await ward.live(up, 10_000);
    expect(ward.check.verdict).toBe('up');
    await pass(3_600_000);
    ward.world = { ...gone };
    ward.dispatch({ type: 'rebooted', key: 'DSM', at: new Date().toISOString() });
    expect(ward.check).toMatchObject({ verdict: 'booting', wasUp: false, bootSeconds: null, probes: {} });
    await pass(20_000);
    await ward.live(up, 10_000);
    expect(ward.check.bootSeconds).toBeLessThan(31);
  });
});

describe('something is wrong', () => {
  test('one bad check is no verdict; the next one comes soon and asks everything', async () => {
    const ward = await settled();
    await ward.command(gone);
    expect(ward.check).toMatchObject({ verdict: 'up', failures: 1, problem: false });
    expect(ward.check.probes.tcp?.outcome).toBe('failed');
    expect(Date.parse(ward.check.nextAt ?? '') - Date.now()).toBeLessThanOrEqual(retest);
    ward.asked = [];
    await pass(retest - 200);
    expect(ward.asked).toEqual([]);
    await pass(200);
    expect(new Set(ward.asked)).toEqual(new Set(whole.filter(probe => probe !== 'dsm')));
    expect(ward.rereads).toBeGreaterThan(0);
    expect(ward.check).toMatchObject({ verdict: 'unreachable', reachable: false, problem: true, failures: 0 });
  });

  test('what DSM says itself counts at once', async () => {
    const ward = await settled();
    await ward.command({ ...up, web: 'installer', dsm: 'recoverable', discovery: 'recoverable' });
    expect(ward.check).toMatchObject({ verdict: 'recoverable', problem: true });
    expect(ward.check.nextStep).toContain('http://10.0.0.20:5000');
  });
});

describe('a cheap check', () => {
  const schedule = '* * * * *';

  test('asks no more than the lower layers, while those are as they were', async () => {
    const ward = await settled({ schedule });
    await pass(60_000);
    expect(new Set(ward.asked)).toEqual(new Set(lower));
    expect(ward.check).toMatchObject({ verdict: 'up', checkedAt: '2026-11-22T08:01:00.000Z' });
    expect(ward.check.nextAt).toBe('2026-11-22T08:02:00.000Z');
    expect(ward.check.probes.dsm?.at).toBe('2026-11-22T08:00:01.000Z');
    expect(ward.check.probes.tcp?.at).toBe('2026-11-22T08:01:00.000Z');
  });

  test('asks everything as soon as they are not', async () => {
    const ward = await settled({ schedule });
    await ward.live({ ...up, tcp: 'some' }, 60_000);
    expect(new Set(ward.asked)).toEqual(new Set(whole));
    await pass(retest);
    expect(ward.check).toMatchObject({ cause: 'port_closed', problem: true });
    expect(ward.check.reason).toBe('DSM answers at 10.0.0.20, but not on port 445.');
    // A service that is off for good is no reason to keep DSM awake.
    ward.asked = [];
    await pass(60_000);
    expect(new Set(ward.asked)).toEqual(new Set(lower));
  });

  test('everything is asked by the deep schedule, unless the disks seem to be asleep', async () => {
    const ward = await settled({ deepSchedule: '*/15 * * * *' });
    ward.sample(1);
    await pass(14 * 60_000);
    ward.sample(2);
    await pass(60_000);
    expect(new Set(ward.asked)).toEqual(new Set(whole));
    ward.asked = [];
    ward.sample(2);
    await pass(15 * 60_000);
    expect(new Set(ward.asked)).toEqual(new Set(lower));
    ward.asked = [];
    ward.sample(3);
    await pass(15 * 60_000 - 10_000);
    ward.sample(4);
    await pass(10_000);
    expect(new Set(ward.asked)).toEqual(new Set(whole));
  });
});

describe('disks that sleep', () => {
  test('are not woken by a bridge that has just begun and has no history yet', async () => {
    const ward = new Ward({ schedule: '* * * * *' });
    ward.world = { ...up, dsm: 'asleep' };
    ward.begin();
    for (let second = 0; second < 720; second += 30) {
      ward.sample(5);
      await pass(30_000);
    }
    expect(ward.check.cause).toBe('up_asleep');
    expect(ward.asked.filter(probe => probe === 'dsm')).toHaveLength(1);
  });

  test.each([
    ['behind a passed-through controller', { hiddenDisks: true }],
    ['all behind it', { hiddenDisks: true, disks: [] }],
    ['with none that libvirt counts', { disks: [] }],
  ])('%s, are asked whether they do before anything else', async (_, hardware) => {
    const ward = new Ward({ deepSchedule: '*/15 * * * *' }).begin({
      ...domain,
      hardware: { ...domain.hardware, ...hardware },
    });
    ward.sample(5);
    await pass(10_000);
    ward.world = { ...up, dsm: 'asleep' };
    ward.asked = [];
    for (let quarter = 0; quarter < 12; quarter++) {
      ward.sample(5);
      await pass(15 * 60_000);
    }
    expect(ward.check.cause).toBe('up_asleep');
    expect(ward.asked).not.toContain('web');
    expect(ward.asked.filter(probe => probe === 'dsm')).toHaveLength(12);
  });
});

describe('with several NICs', () => {
  test('one that is well does not hide the fault of the other, where nobody answers', async () => {
    const ward = await settled();
    ward.worst = { kind: 'link_down', mac: '52:54:00:d5:30:01', explanation: 'The link of its other NIC is down.' };
    await ward.command();
    expect(ward.check.cause).toBe('up');
    await ward.command(gone);
    await pass(retest);
    expect(ward.check).toMatchObject({ cause: 'link_down' });
    expect(ward.check.reason).toContain('The link of its other NIC is down.');
  });
});

describe('on command', () => {
  test('all is asked, though the disks may be asleep; of those first', async () => {
    const ward = await settled();
    ward.sample(1);
    await pass(600_000);
    ward.asked = [];
    ward.world = { ...up, dsm: 'asleep' };
    const said = await ward.command();
    expect(said).toBe('up: DSM answers at 10.0.0.20; its disks are asleep.');
    expect(ward.asked).not.toContain('web');
    // They wake up: what was said of them is asked again.
    ward.world = { ...up };
    ward.sample(9);
    await pass(retest + 100);
    expect(ward.check.cause).toBe('up');
  });

  test('what this one check found is answered, though it is no verdict yet', async () => {
    const ward = await settled();
    const said = await ward.command(gone);
    expect(said).toMatch(/^up: DSM answers at 10\.0\.0\.20\. But this check found: The VM runs, but nothing/);
  });
});

describe('the machine speaks for itself', () => {
  test('off, at once; what was under way is given up, and a start begins anew', async () => {
    const ward = await settled();
    ward.stuck.add('tcp');
    const asked = ward.checks.check('DSM');
    await pass(10);
    ward.seen(off);
    expect(ward.check).toMatchObject({ verdict: 'off', reachable: false, probes: {}, bootSeconds: null });
    await asked;
    expect(ward.check.verdict).toBe('off');
    ward.stuck.clear();
    ward.powerOn();
    expect(ward.check.verdict).toBe('booting');
    await pass(1_100);
    expect(ward.check.verdict).toBe('up');
  });

  test('a check of one that is off asks nothing, and counts as made', async () => {
    const ward = new Ward({ schedule: '* * * * *' }).begin(off);
    await pass(60_000);
    expect(ward.asked).toEqual([]);
    expect(ward.check).toMatchObject({ verdict: 'off', checkedAt: '2026-11-22T08:01:00.000Z' });
  });

  test('off on purpose is no problem, off by itself is one, and both say so', async () => {
    const ward = await settled();
    ward.seen(off);
    expect(ward.check).toMatchObject({ problem: true, expected: 'running', reason: 'It is off. It is meant to run.' });
    expect(ward.check.nextStep).toMatch(/^Start it/);
    ward.dispatch({ type: 'wished', key: 'DSM', wish: 'off' });
    expect(ward.check).toMatchObject({ problem: false, expected: 'off', reason: 'It is off.', nextStep: null });
  });

  describe('a guest that powers itself off', () => {
    const own = { expected: 'last_intended' } as const;
    const minutes = (count: number) => pass(count * 60_000);
    const problems = ({ events }: Ward) =>
      events.some(event => event.type === 'checked' && event.check.verdict === 'off' && event.check.problem);

    test('by its own schedule is never a problem: still off ten minutes later, it is meant to be', async () => {
      const ward = await settled(own);
      ward.seen(off);
      expect(ward.check).toMatchObject({ verdict: 'off', problem: false, expected: 'running', nextStep: null });
      expect(ward.check.reason).toMatch(/^It is off\. Its guest has powered it off\. If it stays off for 10 minutes/);
      await minutes(9.9);
      expect(ward.check.expected).toBe('running');
      await minutes(0.1);
      expect(ward.check).toMatchObject({ problem: false, expected: 'off', reason: 'It is off.' });
      // libvirt, or the host, is started again: it was meant before.
      ward.seen(offBy('unknown'));
      expect(ward.check).toMatchObject({ problem: false, expected: 'off' });
      expect(problems(ward)).toBe(false);
      ward.powerOn();
      await pass(1_100);
      expect(ward.check).toMatchObject({ verdict: 'up', problem: false, expected: 'running' });
    });

    test('and is started within ten minutes was not meant to be off', async () => {
      const ward = await settled(own);
      ward.seen(off);
      await minutes(5);
      ward.powerOn();
      await minutes(10);
      expect(ward.check).toMatchObject({ verdict: 'up', expected: 'running' });
    });

    test('and of which libvirt forgets it, for the host was booted: a problem', async () => {
      const ward = await settled(own);
      ward.seen(off);
      await minutes(5);
      ward.seen(offBy('unknown'));
      await minutes(10);
      expect(ward.check).toMatchObject({ verdict: 'off', problem: true, expected: 'running' });
    });

    test('while libvirt is away at the tenth minute: as soon as it is back', async () => {
      const ward = await settled(own);
      ward.seen(off);
      ward.libvirt(false);
      await minutes(15);
      expect(ward.vm.wish).toBe('running');
      ward.libvirt(true);
      expect(ward.check).toMatchObject({ problem: false, expected: 'off' });
    });

    test('and the bridge is started again meanwhile: the time goes on', async () => {
      const ward = new Ward(own);
      const since = new Date(Date.now() - 540_000).toISOString();
      const remembered = { uuid: domain.uuid, active: false, boot: 'boot-1', thisBoot: true };
      const vm = { ...ward.vm, remembered, selfOffAt: since, wish: 'running' as const };
      ward.snapshot = { ...ward.snapshot, vms: { DSM: vm } };
      ward.begin(off);
      expect(ward.check).toMatchObject({ verdict: 'off', problem: false, expected: 'running' });
      await minutes(1);
      expect(ward.check).toMatchObject({ problem: false, expected: 'off' });
    });

    test.each(['crashed', 'killed', 'destroyed', 'daemon'])(
      'not so, but %s: a problem at once, and for ever',
      async why => {
        const ward = await settled(own);
        ward.seen(offBy(why));
        expect(ward.check).toMatchObject({ problem: true, expected: 'running' });
        await minutes(30);
        expect(ward.check).toMatchObject({ problem: true, expected: 'running' });
      },
    );

    test.each(['last_commanded', 'running'] as const)(
      'and is meant to run, for %s says so: a problem',
      async expected => {
        const ward = await settled({ expected });
        ward.seen(off);
        expect(ward.check).toMatchObject({ problem: true, expected: 'running' });
        await minutes(30);
        expect(ward.check).toMatchObject({ problem: true, expected: 'running' });
      },
    );
  });

  test('what the configuration expects goes over what was commanded', async () => {
    const ward = await settled({ expected: 'off' });
    expect(ward.check).toMatchObject({ verdict: 'up', problem: true, expected: 'off' });
    expect(ward.check.reason).toBe('DSM answers at 10.0.0.20. It is meant to be off.');
  });

  test('paused, and resumed: one bad check before it is still no verdict', async () => {
    const ward = await settled();
    await ward.command(gone);
    expect(ward.check).toMatchObject({ verdict: 'up', failures: 1 });
    ward.seen(active('paused', 'user'));
    ward.seen(domain);
    await ward.live(up, 1_100);
    expect(ward.verdicts).toEqual(['up', 'paused', 'up']);
  });

  test('a start that the bridge carries out goes from off to booting, whoever is told first', async () => {
    const ward = new Ward().begin(off);
    ward.runId = 2;
    const at = new Date().toISOString();
    // The job hears of the domain first, and what it then says is told before the checks hear of it.
    ward.snapshot = reduce(ward.snapshot, { type: 'domain', key: 'DSM', domain, at });
    ward.dispatch({ type: 'work', key: 'DSM', work: null });
    ward.checks.hear({ type: 'domain', key: 'DSM', domain, at });
    expect(ward.verdicts).toEqual(['off', 'booting']);
  });

  test('another domain under its name: nothing that was known is true of it', async () => {
    const ward = await settled();
    expect(ward.check.dsm.model).toBe('DS918+');
    ward.powerOn(gone, { ...domain, uuid: otherUuid });
    ward.targets.length = 0;
    ward.libvirtKnows = [];
    await pass(1_100 + retest);
    expect(ward.check.dsm).toEqual(unknownDsm);
    expect(JSON.stringify(ward.targets)).not.toContain('10.0.0.20');
  });

  test('paused, and resumed: looked at again', async () => {
    const ward = await settled();
    ward.seen(active('paused', 'user'));
    expect(ward.check).toMatchObject({ verdict: 'paused', problem: true, reason: 'It is paused.' });
    ward.seen(domain);
    expect(ward.check.verdict).toBe('up');
    await pass(1_100);
    expect(new Set(ward.asked)).toEqual(new Set(whole));
  });

  test.each<Activity>(['shutting_down', 'rebooting'])('%s: silence is no problem', async activity => {
    const ward = await settled();
    const work = workOn(activity);
    ward.dispatch({ type: 'wished', key: 'DSM', wish: activity === 'rebooting' ? 'running' : 'off' });
    ward.dispatch({ type: 'work', key: 'DSM', work });
    expect(ward.check).toMatchObject({ verdict: 'up', problem: false });
    ward.world = { ...gone };
    for (let i = 0; i < 3; i++) {
      await ward.command();
      await pass(retest);
    }
    expect(ward.check).toMatchObject({ cause: 'stopping', problem: false });
  });

  test('libvirt goes: DSM still answers; it does not: nobody can tell', async () => {
    const ward = await settled();
    ward.libvirt(false);
    await ward.command();
    expect(ward.check).toMatchObject({ verdict: 'up', problem: false });
    await ward.command(gone);
    expect(ward.check).toMatchObject({ verdict: 'up', failures: 1 });
    await pass(retest);
    expect(ward.check).toMatchObject({ verdict: 'unknown', cause: 'unseen', problem: null, reachable: null });
  });

  test('paused, and then libvirt goes: it is paused as far as anybody knows', async () => {
    const ward = await settled();
    ward.seen(active('paused', 'user'));
    ward.libvirt(false);
    expect(ward.check).toMatchObject({ verdict: 'paused', reachable: false });
    await ward.command(gone);
    await pass(retest);
    expect(ward.check.verdict).toBe('unknown');
  });

  test('off, and libvirt is started anew: off all the time', async () => {
    const ward = new Ward().begin(off);
    ward.libvirt(false);
    ward.seen(off);
    ward.libvirt(true);
    expect(ward.verdicts).toEqual(['off']);
  });

  test('libvirt is not asked again while a command is under way: both might wait for the same lock', async () => {
    const ward = await settled();
    ward.world = { ...gone };
    ward.dispatch({ type: 'work', key: 'DSM', work: workOn('shutting_down') });
    const asked = ward.rereads;
    await ward.command();
    expect(ward.asked).toContain('tcp');
    expect(ward.rereads).toBe(asked);
    ward.dispatch({ type: 'work', key: 'DSM', work: null });
    await ward.command();
    expect(ward.rereads).toBe(asked + 1);
  });

  test('a change of its network: looked at soon', async () => {
    const ward = await settled();
    const nics = domain.hardware.nics.map(nic => ({ ...nic, link: 'down' as const }));
    ward.seen({ ...domain, hardware: { ...domain.hardware, nics } });
    await pass(1_100);
    expect(new Set(ward.asked)).toEqual(new Set(whole));
  });
});

describe('one at a time', () => {
  test('who asks while as much is asked already gets the same answer', async () => {
    const ward = await settled();
    const [one, two] = await Promise.all([ward.checks.check('DSM'), ward.checks.check('DSM'), pass(100)]);
    expect(one).toBe('up: DSM answers at 10.0.0.20.');
    expect(two).toBe(one);
    expect(ward.asked.filter(probe => probe === 'dsm')).toHaveLength(1);
  });

  test.each([
    ['reset', 'booting', (ward: Ward) => ward.dispatch({ type: 'rebooted', key: 'DSM', at: new Date().toISOString() })],
    ['powered off', 'off', (ward: Ward) => ward.seen(off)],
  ])('a machine that is %s meanwhile is asked again, and what it is then is answered', async (_, verdict, happens) => {
    const ward = await settled();
    ward.stuck.add('tcp');
    const both = Promise.all([ward.checks.check('DSM'), ward.checks.check('DSM')]);
    await pass(10);
    ward.stuck.clear();
    ward.world = { ...gone };
    ward.asked = [];
    happens(ward);
    await pass(10);
    expect(ward.asked.filter(probe => probe === 'tcp')).toHaveLength(verdict === 'off' ? 0 : 1);
    for (const said of await both) expect(said).toMatch(new RegExp(`^${verdict}: `));
  });

  test('whatever does not answer, it ends in its time, and another can be made', async () => {
    const ward = await settled({ probeTimeout: 1_000, address: 'nas.lan' });
    for (const probe of whole) ward.stuck.add(probe as 'tcp');
    let ended = false;
    const asked = ward.checks.check('DSM').then(() => {
      ended = true;
    });
    await pass(500);
    // What happens meanwhile is told meanwhile.
    ward.seen(active('paused', 'user'));
    expect(ward.check.verdict).toBe('paused');
    ward.seen(domain);
    await pass(longest(1_000) - 400);
    expect(ended).toBe(true);
    await asked;
    ward.stuck.clear();
    await ward.command();
    expect(ward.check).toMatchObject({ verdict: 'up', failures: 0 });
  });

  test('after the end none is made', async () => {
    const ward = await settled();
    ward.checks.close();
    const told = ward.events.length;
    await ward.checks.check('DSM');
    await pass(120_000);
    expect(ward.asked).toEqual([]);
    expect(ward.events).toHaveLength(told);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('from one life of the bridge to the next', () => {
  /** A guest that was seen to start, and came up. */
  async function ranBefore(): Promise<Ward> {
    const ward = new Ward().begin(off);
    ward.runId = 7;
    ward.seen(domain);
    await pass(10_000);
    expect(ward.check).toMatchObject({ verdict: 'up', bootSeconds: 1 });
    ward.checks.close();
    return ward;
  }

  test('the same run: how long it took to boot, where it is, and that it does not boot', async () => {
    const { saved } = await ranBefore();
    const next = new Ward({}, saved ?? {});
    Object.assign(next, { runId: 7, world: { ...gone }, libvirtKnows: [] });
    next.begin();
    await pass(1_100 + retest);
    expect(next.targets[0]?.candidates).toEqual(['10.0.0.20']);
    expect(next.check).toMatchObject({ verdict: 'unreachable', bootSeconds: 1, dsm: device });
    expect(next.verdicts).toEqual(['unreachable']);
  });

  test('it was up a minute after power on: it is up, and has not come up once more', async () => {
    const { saved } = await ranBefore();
    const next = new Ward({}, saved ?? {});
    next.runId = 7;
    next.begin();
    await pass(1_100);
    expect(next.check).toMatchObject({ verdict: 'up', bootSeconds: 1 });
    expect(next.verdicts).toEqual(['up']);
  });

  test('another run, though its number is the same: the host was booted meanwhile', async () => {
    const { saved } = await ranBefore();
    const next = new Ward({}, saved ?? {}, 'boot-2');
    Object.assign(next, { runId: 7, world: { ...gone }, uptime: 60_000 });
    next.begin();
    await pass(1_100);
    expect(next.check).toMatchObject({ verdict: 'booting', bootSeconds: null });
  });

  test('an update counts until DSM is asked again, and in no other run', async () => {
    const before = await settled();
    await before.command({ dsm: 'updating', discovery: 'updating' });
    expect(before.check.verdict).toBe('updating');
    before.checks.close();
    const next = (runId: number) => {
      const ward = new Ward({}, before.saved ?? {});
      ward.runId = runId;
      return ward.begin();
    };
    const same = next(1);
    expect(same.check).toMatchObject({ verdict: 'updating', cause: 'updating', problem: false, probes: {} });
    await pass(1_100);
    expect(same.check.verdict).toBe('up');
    expect(same.saved?.['DSM']?.run?.updating).toBe(false);
    const other = next(8);
    expect(other.vm.check?.verdict).not.toBe('updating');
  });

  test('after a boot of the host it boots too, and nobody knows since when', async () => {
    const next = new Ward();
    next.uptime = 60_000;
    next.runId = 1;
    next.world = { ...gone };
    next.begin();
    expect(next.check).toMatchObject({ verdict: 'booting', problem: false });
    expect(next.check.reason).toContain('a while ago');
    await next.live(up, 10_000);
    expect(next.check).toMatchObject({ verdict: 'up', bootSeconds: null });
  });
});

describe('a check that is not made', () => {
  test('is a problem of the bridge, until it is made', async () => {
    const ward = await settled({ schedule: '* * * * *', probeTimeout: 1_000 });
    await pass(60_000);
    expect(ward.snapshot.overdueChecks).toEqual([]);
    // As if no timer had been served for an hour.
    ward.skipped = 3_600_000;
    await pass(10_000);
    expect(ward.snapshot.overdueChecks).toEqual(['DSM']);
    expect(ward.log.of('check.overdue')).toHaveLength(1);
    await Promise.all([ward.checks.check('DSM'), pass(10_100)]);
    expect(ward.snapshot.overdueChecks).toEqual([]);
    expect(ward.log.of('check.in_time')).toHaveLength(1);
  });

  test('a clock that is set makes none overdue, and none is left out', async () => {
    const ward = await settled({ schedule: '* * * * *' });
    for (const hours of [-1, 1, -24, 24 * 30]) {
      vi.setSystemTime(Date.now() + hours * 3_600_000);
      await pass(20_000);
      ward.asked = [];
      await pass(60_000);
      expect(ward.asked).toContain('tcp');
      expect(ward.asked.filter(probe => probe === 'tcp').length).toBeLessThanOrEqual(2);
      expect(ward.snapshot.overdueChecks).toEqual([]);
      expect(Date.parse(ward.check.nextAt ?? '') - Date.now()).toBeLessThanOrEqual(60_000);
    }
    expect(ward.check).toMatchObject({ verdict: 'up', problem: false });
  });

  test('nor does it change how long a boot has taken', async () => {
    const ward = new Ward({ bootGrace: 60_000 }).begin(off);
    ward.powerOn(gone);
    await pass(20_000);
    vi.setSystemTime(Date.now() + 3 * 86_400_000);
    await pass(20_000);
    expect(ward.check).toMatchObject({ verdict: 'booting', problem: false });
    vi.setSystemTime(Date.now() - 4 * 86_400_000);
    await ward.live(up, 10_000);
    expect(ward.check.verdict).toBe('up');
    expect(ward.check.bootSeconds).toBeGreaterThan(39);
    expect(ward.check.bootSeconds).toBeLessThan(51);
  });

  test('one that was due sooner than it is now, because the VM went off, is not', async () => {
    const ward = new Ward({ schedule: '*/5 * * * *' }).begin(off);
    ward.powerOn(gone);
    await pass(20_000);
    ward.seen(off);
    await pass(200_000);
    expect(ward.snapshot.overdueChecks).toEqual([]);
  });

  test('where none is scheduled none is made by itself, and none is missed', async () => {
    const ward = new Ward({ schedule: null, deepSchedule: null }).begin();
    await pass(3_600_000);
    expect(ward.asked).toEqual([]);
    expect(ward.check).toMatchObject({ cause: 'not_checked', nextAt: null });
    await ward.command(gone);
    await pass(3_600_000);
    expect(ward.check).toMatchObject({ failures: 1, nextAt: null });
    expect(ward.snapshot.overdueChecks).toEqual([]);
  });
});
