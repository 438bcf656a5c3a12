/** The order of several VMs: who starts after whom, and who shuts down before whom. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Probes } from '../../src/checks/probes.ts';
import type { ResponseDocument } from '../../src/commands/responder.ts';
import type { Host } from '../../src/config/config.ts';
import { eventually } from '../eventually.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import type { FakeDomain } from '../fakes/libvirtd/domain.ts';
import type { Observer } from '../mqtt/observer.ts';
import { type ConfigChanges, Running, state, vmConfig } from './running.ts';

type Name = 'DSM' | 'box' | 'cam';
type Changes = Parameters<typeof vmConfig>[0];
const names = ['DSM', 'box', 'cam'] as const;
const addressOf = (name: Name) => `10.0.0.${names.indexOf(name) + 1}`;

/** DSM, and others that need it or one another; who answers is up to the test. */
class Scene implements AsyncDisposable {
  readonly running: Running;
  readonly seen: Observer;
  /** Where a second host's VMs are. */
  readonly two: FakeLibvirtd;
  readonly #answering = new Set<string>();
  #vms: ConfigChanges['vms'] = [];
  #more: ConfigChanges = {};

  private constructor(running: Running, seen: Observer, two: FakeLibvirtd) {
    this.running = running;
    this.seen = seen;
    this.two = two;
  }

  /** `after`: of each of them. Those in `there` are on the second host. */
  static async prepare(
    after: Partial<Record<Name, Name[]>>,
    { there = [], ...changes }: Changes & { there?: Name[] } = {},
  ): Promise<Scene> {
    const running = await Running.prepare();
    const scene = new Scene(running, await running.observe(), await FakeLibvirtd.listen());
    const checks = { ...vmConfig().checks, schedule: '* * * * * *', ports: [22] };
    scene.#vms = names.map(name =>
      vmConfig({
        ...{ guest: 'other', domain: name, key: name, label: name, address: addressOf(name), checks },
        ...{ after: after[name] ?? [], on: there.includes(name) ? 'two' : 'one', ...changes },
      }),
    );
    for (const name of names) {
      const daemon = there.includes(name) ? scene.two : running.daemon;
      const digit = names.indexOf(name) + 1;
      daemon.define({ name, uuid: `00000000-0000-4000-8000-00000000000${digit}`, mac: `52:54:00:00:00:0${digit}` });
    }
    return scene;
  }

  /** The same bridge again, if it was stopped. */
  async start(more: ConfigChanges = this.#more): Promise<void> {
    this.#more = more;
    const host = (name: string, { uri }: FakeLibvirtd): Host => ({ name, uri, readOnly: false, statsInterval: 60_000 });
    const hosts = [host('one', this.running.daemon), host('two', this.two)];
    const vms = this.#vms ?? [];
    await this.running.start({ hosts, vms, probes: this.#probes, ...more });
    for (const { key } of vms) await this.seen.take(`b/${key}/availability`, 'online');
  }

  domain(name: Name): FakeDomain {
    return [this.running.daemon, this.two].flatMap(daemon => daemon.find(this.#uuid(name)) ?? [])[0] as FakeDomain;
  }

  /** Its guest answers from now on. */
  answers(name: Name): void {
    this.#answering.add(addressOf(name));
  }

  silent(name: Name): void {
    this.#answering.delete(addressOf(name));
  }

  /** Seconds that it took each time, three times. */
  async took(name: Name, seconds: number): Promise<void> {
    const at = '2026-11-22T08:00:00.000Z';
    const stop = { at, what: 'stop', by: 'ups', how: 'shutdown', why: 'shutdown', seconds, seen: true, good: true };
    await mkdir(join(this.running.folder, 'history'), { recursive: true });
    const lines = Array.from({ length: 3 }, () => `${JSON.stringify(stop)}\n`).join('');
    await writeFile(join(this.running.folder, 'history', `${name}.jsonl`), lines);
  }

  command(name: Name, word: string, more: object = {}): Promise<void> {
    return this.seen.publish(`b/${name}/command`, JSON.stringify({ command: word, ...more }));
  }

  /** The next response that is as wanted. */
  async response(name: Name, wanted: Partial<ResponseDocument>): Promise<ResponseDocument> {
    const read = ({ payload }: { payload: string }): ResponseDocument => JSON.parse(payload);
    const fits = (response: ResponseDocument) =>
      Object.entries(wanted).every(([key, value]) => response[key as keyof ResponseDocument] === value);
    return read(await this.seen.seen.take(each => each.topic === `b/${name}/response` && fits(read(each))));
  }

  state(name: Name, holds: Parameters<typeof state>[1]) {
    return state(this.seen, holds, name);
  }

  runs(name: Name) {
    return this.state(name, ({ power }) => power === 'ON');
  }

  /** By the order. */
  started(name: Name) {
    return this.response(name, { command: 'start', status: 'succeeded' });
  }

  isOff(name: Name) {
    return this.state(name, ({ power, last_stop }) => power === 'OFF' && last_stop.at !== null);
  }

  isUp(name: Name) {
    const topic = `b/${name}/check`;
    return this.seen.seen.take(each => each.topic === topic && JSON.parse(each.payload).verdict === 'up');
  }

  /** All commands that it was given, up to one that the test gives now: `start by order`. */
  async commands(name: Name): Promise<string[]> {
    await this.command(name, 'refresh', { by: 'test' });
    await this.response(name, { command: 'refresh', status: 'succeeded' });
    const events = this.seen.seen.all.filter(({ topic }) => topic === `b/${name}/event`);
    const said = events.map(({ payload }) => JSON.parse(payload));
    return said
      .filter(({ event_type }) => String(event_type).endsWith('_requested'))
      .map(({ command, by }) => `${command} by ${by}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running[Symbol.asyncDispose]();
    await this.two.close();
  }

  readonly #uuid = (name: Name) => `00000000-0000-4000-8000-00000000000${names.indexOf(name) + 1}`;

  get #probes(): Partial<Probes> {
    const quiet = { ms: null, explanation: 'So it is.' };
    return {
      bridge: async () => ({ ...quiet, kind: 'not_applicable', mac: null, worst: null }),
      neighbour: async () => ({ ...quiet, kind: 'not_applicable', address: null }),
      ping: async () => ({ ...quiet, kind: 'not_applicable' }),
      tcp: async ({ address, ports }) => {
        const there = this.#answering.has(address);
        const found = there ? { open: ports, closed: [] } : { open: [], closed: ports };
        return { ...quiet, ...found, kind: there ? 'all' : 'silent' } as Awaited<ReturnType<Probes['tcp']>>;
      },
      resolve: async name => name,
    };
  }
}

const always = { expected: 'running' } as const;
const boxAfterDsm = { box: ['DSM'] } satisfies Partial<Record<Name, Name[]>>;
const line = { box: ['DSM'], cam: ['box'] } satisfies Partial<Record<Name, Name[]>>;

test.concurrent('the whole way: down before DSM, and up again after it, because it is meant to run all the time', async () => {
  await using scene = await Scene.prepare(boxAfterDsm);
  await scene.took('DSM', 1);
  for (const name of ['DSM', 'box'] as const) scene.domain(name).start();
  scene.answers('DSM');
  await scene.start();
  await scene.isUp('DSM');
  await scene.command('DSM', 'shutdown', { by: 'ups', timeout: '60s' });
  const stopped = await scene.isOff('box');
  expect(stopped.last_stop).toMatchObject({ by: 'ups', reason: 'shutdown' });
  await scene.isOff('DSM');
  scene.silent('DSM');
  await scene.command('DSM', 'start');
  await scene.runs('DSM');
  expect(scene.domain('box').active).toBe(false);
  scene.answers('DSM');
  await scene.started('box');
  expect(await scene.commands('box')).toEqual(['shutdown by ups', 'start by order']);
});

describe('started once DSM is up', () => {
  test.concurrent('and not one that is meant to be off', async () => {
    await using scene = await Scene.prepare({ box: ['DSM'], cam: ['DSM'] });
    for (const name of names) scene.domain(name).start();
    await scene.start();
    await scene.runs('box');
    await scene.command('box', 'shutdown');
    await scene.isOff('box');
    scene.domain('cam').destroy();
    await scene.isOff('cam');
    scene.domain('DSM').destroy();
    await scene.isOff('DSM');
    scene.domain('DSM').start();
    scene.answers('DSM');
    await scene.started('cam');
    expect(await scene.commands('box')).toEqual(['shutdown by null']);
  });

  test.concurrent('nor one that is configured to be off', async () => {
    await using scene = await Scene.prepare(boxAfterDsm, { expected: 'off' });
    await scene.start();
    scene.domain('DSM').start();
    scene.answers('DSM');
    await scene.isUp('DSM');
    expect(await scene.commands('box')).toEqual([]);
  });

  test.concurrent('once in a run of DSM, whatever bridge sees it', async () => {
    await using scene = await Scene.prepare(boxAfterDsm, always);
    scene.answers('DSM');
    await scene.start();
    scene.domain('DSM').start();
    await scene.started('box');
    await scene.running.stop();
    scene.domain('box').destroy();
    await scene.seen.take('b/bridge/state', 'offline');
    const before = scene.seen.seen.all.length;
    await scene.start();
    await eventually(() => {
      const checks = scene.seen.seen.all.slice(before).filter(({ topic }) => topic === 'b/DSM/check');
      expect(checks.some(({ payload }) => JSON.parse(payload).verdict === 'up')).toBe(true);
    });
    expect(await scene.commands('box')).toEqual(['start by order']);
    // Neither when it restarts in the same run.
    scene.domain('DSM').reboot();
    await scene.seen.seen.take(({ topic, payload }) => topic === 'b/DSM/event' && payload.includes('"rebooted"'));
    await scene.isUp('DSM');
    expect(await scene.commands('box')).toEqual(['start by order']);
    scene.domain('DSM').destroy();
    await scene.isOff('DSM');
    scene.domain('DSM').start();
    await scene.started('box');
    expect(await scene.commands('box')).toEqual(['start by order', 'start by order']);
  });

  test.concurrent('although DSM was started while the bridge was away', async () => {
    await using scene = await Scene.prepare(boxAfterDsm, always);
    scene.answers('DSM');
    await scene.start();
    await scene.running.stop();
    scene.domain('DSM').start();
    await scene.start();
    await scene.runs('box');
  });

  test.concurrent('when all that it is after are up, and on another host, which may come later', async () => {
    await using scene = await Scene.prepare({ cam: ['DSM', 'box'] }, { ...always, there: ['cam'] });
    await scene.start();
    scene.answers('DSM');
    scene.domain('DSM').start();
    await scene.isUp('DSM');
    expect(await scene.commands('cam')).toEqual([]);
    await scene.two.kill();
    await scene.seen.take('b/cam/availability', 'offline');
    scene.domain('box').start();
    scene.answers('box');
    await scene.isUp('box');
    await scene.two.listen();
    await scene.runs('cam');
  });

  test.concurrent('one after the other', async () => {
    await using scene = await Scene.prepare(line, always);
    await scene.start();
    scene.domain('DSM').start();
    scene.answers('DSM');
    await scene.runs('box');
    expect(scene.domain('cam').active).toBe(false);
    scene.answers('box');
    await scene.runs('cam');
  });

  test.concurrent('a start that fails is told, and is not repeated', async () => {
    await using scene = await Scene.prepare({ box: ['DSM'], cam: ['DSM'] }, always);
    await scene.start();
    scene.running.daemon.refuse('domainCreateWithFlags', 38, 'Resource busy', { times: 1 });
    scene.domain('DSM').start();
    scene.answers('DSM');
    const { last_error } = await scene.state('box', ({ last_error: { code } }) => code !== null);
    expect(last_error).toMatchObject({ code: 'libvirt_error' });
    await scene.runs('cam');
    await scene.isUp('DSM');
    expect(await scene.commands('box')).toEqual(['start by order']);
  });

  test.concurrent('what somebody commands does not wait', async () => {
    await using scene = await Scene.prepare(boxAfterDsm);
    await scene.start();
    await scene.command('box', 'start');
    await scene.runs('box');
  });
});

describe('shut down before DSM', () => {
  /** All run; `known`: seconds that each takes. */
  async function running(known: Partial<Record<Name, number>>, ...scenery: Parameters<typeof Scene.prepare>) {
    const scene = await Scene.prepare(...scenery);
    for (const [name, seconds] of Object.entries(known)) await scene.took(name as Name, seconds);
    for (const name of names) scene.domain(name).start();
    await scene.start();
    for (const name of names) await scene.runs(name);
    return scene;
  }
  const waiting: Parameters<typeof state>[1] = ({ phase }) => phase === 'waiting_for_dependents';

  test.concurrent('three levels: the last in order goes first, and each has what the others leave', async () => {
    await using scene = await running({ DSM: 100, box: 30 }, line);
    const { seen } = scene;
    await scene.command('DSM', 'shutdown', { by: 'ups', timeout: 200 });
    const { deadline, attempt } = await scene.state('DSM', waiting);
    expect(attempt).toBeNull();
    const { message } = await scene.response('DSM', { code: 'dependents' });
    expect(message).toMatch(/^before it, box must shut down, within (100|99\.\d) s; then the guest is asked$/);
    expect((await scene.response('cam', { status: 'accepted' })).remaining_ms).toBeGreaterThan(69_000);
    await scene.response('DSM', { command: 'shutdown', status: 'succeeded' });
    expect((await scene.isOff('DSM')).last_stop).toMatchObject({ by: 'ups' });
    const stops = seen.seen.all.flatMap(({ topic, payload }) => {
      return payload.includes('"shut_down"') && topic.endsWith('/event') ? [topic.slice(2, 5)] : [];
    });
    expect(stops).toEqual(['cam', 'box', 'DSM']);
    const shutdowns = await Promise.all(names.map(name => scene.commands(name)));
    expect(shutdowns).toEqual(names.map(() => ['shutdown by ups']));
    const left = (at: string | null) => Date.parse(deadline ?? '') - Date.parse(at ?? '');
    const states = seen.seen.all.filter(({ topic }) => topic === 'b/box/state').map(each => JSON.parse(each.payload));
    expect(left(states.find(waiting)?.deadline)).toBeGreaterThan(99_900);
  });

  test.concurrent('one in the middle is off: the one after it still goes first', async () => {
    await using scene = await running({ DSM: 1 }, line);
    scene.domain('box').destroy();
    await scene.isOff('box');
    await scene.command('DSM', 'shutdown');
    await scene.response('DSM', { status: 'succeeded' });
    expect(scene.domain('cam').active).toBe(false);
    expect(await scene.commands('cam')).toEqual(['shutdown by order']);
  });

  test.concurrent('it is not known how long DSM takes: both are asked at once', async () => {
    await using scene = await running({}, boxAfterDsm);
    scene.domain('box').guest.powerButton = 'ignored';
    await scene.command('DSM', 'shutdown');
    const { message } = await scene.response('DSM', { code: 'dependents' });
    expect(message).toContain('asked together with box');
    await scene.isOff('DSM');
    await eventually(() => expect(scene.domain('box').presses).toBe(1));
  });

  test.concurrent('DSM’s own time is measured without the wait, and it is meant to be off, the other to run', async () => {
    await using scene = await running({ DSM: 1 }, boxAfterDsm);
    scene.domain('box').guest.powerButton = 1_500;
    await scene.command('DSM', 'shutdown');
    expect((await scene.isOff('DSM')).last_stop.seconds).toBeLessThan(1.5);
    const expected = async (name: Name, wish: string) => {
      const topic = `b/${name}/check`;
      await scene.seen.seen.take(each => {
        const { verdict, expected: now } = each.topic === topic ? JSON.parse(each.payload) : {};
        return verdict === 'off' && now === wish;
      });
    };
    await expected('box', 'running');
    await expected('DSM', 'off');
  });

  test.concurrent('one hangs: DSM is asked when its own time has come, and the deadline stays', async () => {
    await using scene = await running({ DSM: 1 }, boxAfterDsm);
    scene.domain('box').guest.powerButton = 'ignored';
    scene.domain('DSM').guest.powerButton = 'ignored';
    await scene.command('DSM', 'shutdown', { timeout: 2 });
    const { deadline } = await scene.state('DSM', waiting);
    await scene.response('box', { status: 'failed', code: 'timed_out' });
    expect(await scene.state('DSM', ({ attempt }) => attempt === 1)).toMatchObject({ deadline });
    const { elapsed_ms } = await scene.response('DSM', { status: 'failed', code: 'timed_out' });
    expect(elapsed_ms).toBeLessThan(10_000);
    expect(scene.domain('box').active).toBe(true);
  });

  test.concurrent('one refuses: DSM does not wait for it', async () => {
    await using scene = await running({ DSM: 1 }, boxAfterDsm);
    scene.domain('box').pause();
    await scene.state('box', ({ state }) => state === 'paused');
    await scene.command('DSM', 'shutdown', { timeout: '1h' });
    await scene.response('box', { status: 'rejected', code: 'wrong_state' });
    await scene.isOff('DSM');
  });

  test.concurrent('less time: for the other too', async () => {
    await using scene = await running({ DSM: 1 }, line);
    scene.domain('cam').guest.powerButton = 'ignored';
    await scene.command('DSM', 'shutdown', { timeout: '1h' });
    await scene.response('cam', { status: 'accepted' });
    await scene.command('DSM', 'shutdown', { timeout: 2 });
    await scene.response('cam', { status: 'failed', code: 'timed_out' });
    await scene.response('DSM', { status: 'succeeded' });
    await scene.response('DSM', { status: 'succeeded' });
    expect(scene.domain('box').active).toBe(false);
  });

  test.concurrent('cancelled: also what it had begun on a host that was away meanwhile', async () => {
    await using scene = await running({ DSM: 1 }, boxAfterDsm, { there: ['box'] });
    for (const name of ['DSM', 'box'] as const) scene.domain(name).guest.powerButton = 'ignored';
    await scene.command('DSM', 'shutdown', { timeout: '1h' });
    await scene.response('box', { status: 'accepted' });
    await scene.two.kill();
    await scene.response('DSM', {
      code: 'dependents',
      message: 'no other VM is waited for any more: the guest is asked now',
    });
    await scene.two.listen();
    await scene.seen.take('b/box/availability', 'online');
    await scene.command('DSM', 'cancel');
    await scene.response('box', { command: 'shutdown', status: 'cancelled', code: 'cancelled' });
  });

  test.concurrent('cancelled: also what it had begun, and nothing that somebody else had', async () => {
    await using scene = await running({ DSM: 1 }, { box: ['DSM'], cam: ['DSM'] });
    for (const name of names) scene.domain(name).guest.powerButton = 'ignored';
    await scene.command('cam', 'shutdown', { by: 'dad', timeout: '2h' });
    await scene.response('cam', { status: 'accepted' });
    await scene.command('DSM', 'shutdown', { timeout: '1h' });
    await scene.response('box', { status: 'accepted' });
    await scene.response('cam', { status: 'accepted' });
    await scene.command('DSM', 'cancel');
    await scene.response('box', { command: 'shutdown', status: 'cancelled', code: 'cancelled' });
    const { message } = await scene.response('DSM', { command: 'shutdown', status: 'cancelled' });
    expect(message).toContain('has not been asked');
    expect(scene.domain('DSM').presses).toBe(0);
    expect(await scene.commands('cam')).toEqual(['shutdown by dad', 'shutdown by order']);
    expect((await scene.response('cam', { code: 'amended' })).remaining_ms).toBeGreaterThan(0);
    await scene.command('cam', 'cancel');
    await scene.response('cam', { command: 'shutdown', status: 'cancelled' });
  });

  test.concurrent('the power is cut instead: at once; what the other was asked stays', async () => {
    await using scene = await running({ DSM: 1 }, boxAfterDsm);
    scene.domain('box').guest.powerButton = 'ignored';
    await scene.command('DSM', 'shutdown', { timeout: '1h' });
    await scene.response('box', { status: 'accepted' });
    await scene.command('DSM', 'force_off');
    expect((await scene.isOff('DSM')).last_stop).toMatchObject({ reason: 'destroyed' });
    expect(scene.domain('DSM').presses).toBe(0);
    scene.domain('box').powerOff();
    await scene.response('box', { command: 'shutdown', status: 'succeeded' });
  });

  test.concurrent('a start follows', async () => {
    await using scene = await running({ DSM: 1 }, boxAfterDsm);
    scene.domain('box').guest.powerButton = 'ignored';
    await scene.command('DSM', 'shutdown', { timeout: '1h' });
    await scene.state('DSM', waiting);
    await scene.command('DSM', 'start');
    await scene.state('DSM', ({ start_after_off }) => start_after_off);
    scene.domain('box').powerOff();
    await scene.response('DSM', { command: 'start', status: 'succeeded' });
    expect(scene.domain('DSM').active).toBe(true);
  });

  test.concurrent('a reboot has no order; a shutdown that takes its place has', async () => {
    await using scene = await running({ DSM: 1 }, boxAfterDsm);
    for (const name of names) scene.domain(name).guest.powerButton = 'ignored';
    await scene.command('DSM', 'reboot');
    await scene.state('DSM', ({ attempt }) => attempt === 1);
    expect(await scene.commands('box')).toEqual([]);
    await scene.command('DSM', 'shutdown', { timeout: '1h' });
    await scene.response('DSM', { command: 'reboot', code: 'superseded' });
    await scene.state('DSM', waiting);
    expect(await scene.commands('box')).toEqual(['shutdown by order']);
  });

  test.concurrent('its host is away, or goes: DSM does not wait for it', async () => {
    await using scene = await running({ DSM: 1 }, boxAfterDsm, { there: ['box'] });
    for (const name of names) scene.domain(name).guest.powerButton = 'ignored';
    await scene.command('DSM', 'shutdown', { timeout: '1h' });
    await scene.response('box', { status: 'accepted' });
    await scene.state('DSM', waiting);
    await scene.two.kill();
    await scene.state('DSM', ({ attempt }) => attempt === 1);
    await scene.command('DSM', 'cancel');
    await scene.response('DSM', { command: 'cancel', status: 'succeeded' });
    await scene.command('DSM', 'shutdown', { timeout: '1h' });
    await scene.response('box', { status: 'rejected', code: 'libvirt_unavailable' });
    await eventually(() => expect(scene.domain('DSM').presses).toBe(2));
  });

  test.concurrent('libvirt of both goes and is back: DSM still waits for the other', async () => {
    await using scene = await running({ DSM: 1 }, boxAfterDsm);
    scene.domain('box').guest.powerButton = 'ignored';
    await scene.command('DSM', 'shutdown', { timeout: '1h' });
    await scene.response('box', { status: 'accepted' });
    await scene.running.daemon.kill();
    await scene.seen.take('b/DSM/availability', 'offline');
    await scene.running.daemon.listen();
    await scene.seen.take('b/DSM/availability', 'online');
    expect(await scene.commands('box')).toEqual(['shutdown by order']);
    expect(scene.domain('DSM').presses).toBe(0);
    scene.domain('box').powerOff();
    await scene.isOff('DSM');
  });

  test.concurrent('the bridge ends: DSM is left alone, and it is told', async () => {
    // The host of the other one is closed first.
    await using scene = await running({ DSM: 1 }, boxAfterDsm, { there: ['DSM'] });
    for (const name of names) scene.domain(name).guest.powerButton = 'ignored';
    await scene.command('DSM', 'shutdown', { timeout: '1h' });
    await scene.response('box', { status: 'accepted' });
    await scene.running.stop();
    await scene.response('DSM', { command: 'shutdown', code: 'outcome_unknown' });
    expect(scene.domain('DSM').presses).toBe(0);
    await scene.start();
    const { last_error } = await scene.state('DSM', ({ last_error: { code } }) => code !== null);
    expect(last_error).toMatchObject({ code: 'interrupted' });
    expect(scene.domain('DSM').presses).toBe(0);
  });

  test.concurrent('DSM refuses: nobody is asked', async () => {
    await using scene = await running({ DSM: 1 }, boxAfterDsm);
    scene.domain('DSM').pause();
    await scene.state('DSM', ({ state }) => state === 'paused');
    await scene.command('DSM', 'shutdown');
    await scene.response('DSM', { status: 'rejected', code: 'wrong_state' });
    expect(await scene.commands('box')).toEqual([]);
  });
});
