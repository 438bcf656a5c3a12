/** A command from its acceptance to its outcome, with libvirt's part played by the test. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Dispatcher, type DispatcherOptions, type Ordering } from '../../src/commands/dispatcher.ts';
import { type Request, Responder } from '../../src/commands/responder.ts';
import type { Check, Verdict } from '../../src/model/check.ts';
import { cancelled, type Outcome } from '../../src/model/codes.ts';
import { type Command, command } from '../../src/model/command.ts';
import type { Call, CommandWord } from '../../src/model/commands.ts';
import type { Domain } from '../../src/model/domain.ts';
import type { CallFailure } from '../../src/model/job/job.ts';
import type { Notification } from '../../src/model/notice/notification.ts';
import type { Policy } from '../../src/model/policy.ts';
import { reduce } from '../../src/model/reduce.ts';
import type { Event, Snapshot, VmSnapshot } from '../../src/model/snapshot.ts';
import { type Publication, topics } from '../../src/model/topics.ts';
import { checkOf, domain, off, otherUuid, snapshotOf } from '../model/samples.ts';
import { recorder } from '../mqtt/inbox.ts';

const now = new Date('2026-11-22T08:00:00.000Z');

const policy = (changes: Partial<Policy> = {}): Policy => ({
  commands: [
    ...([
      'start',
      'shutdown',
      'reboot',
      'suspend',
      'resume',
      'reset',
      'cancel',
      'refresh',
      'screenshot',
      'quiet',
    ] as const),
    'autostart',
  ],
  shutdown: { method: 'acpi', timeout: 300_000, resendEvery: 60_000, maxPresses: 3, onTimeout: 'report' },
  reboot: { method: 'shutdown' },
  ...changes,
});

const well = async () => 'well';

const daring: Policy = policy({ commands: [...policy().commands, 'force_off'] });

/** Everything between a command and its answers. */
class Scene {
  readonly log = recorder();
  readonly calls: [key: string, call: Call, how: { method: string; signal: AbortSignal }][] = [];
  readonly responses: Publication[] = [];
  readonly events: Event[] = [];
  readonly notifications: Notification[] = [];
  readonly jobs: Dispatcher;
  snapshot: Snapshot;
  /** Libvirt's answer to the call under way. */
  answer: (failure: CallFailure | null) => void = () => {};

  constructor(vm: Partial<VmSnapshot> = {}, options: Partial<DispatcherOptions> = {}) {
    this.snapshot = snapshotOf({ seen: true, ...vm });
    const answers = new Responder({
      topics: topics('b'),
      send: publication => this.responses.push(publication) > 0,
      notify: (_, notification) => this.notifications.push(notification),
      logger: this.log,
    });
    this.jobs = new Dispatcher({
      vms: { DSM: policy(), other: policy({ commands: ['start'] }) },
      readOnly: false,
      snapshot: () => this.snapshot,
      call: (...asked) => {
        this.calls.push(asked);
        return new Promise(resolve => {
          this.answer = resolve;
        });
      },
      read: async () => {},
      missing: () => 'libvirt has no such domain',
      simple: { screenshot: well, autostart: well, arm: well, check: well, quiet: well, refresh: well },
      portsOpen: async () => null,
      replies: answers,
      emit: this.dispatch,
      ...options,
    });
    // As after the first look at libvirt.
    for (const [key, { domain }] of Object.entries(this.snapshot.vms)) {
      this.jobs.hear({ type: 'domain', key, domain, at: now.toISOString() });
    }
  }

  readonly dispatch = (event: Event): void => {
    this.events.push(event);
    this.snapshot = reduce(this.snapshot, event);
    this.jobs.hear(event);
  };

  submit(word: CommandWord, more: Partial<Request & Omit<Command, 'word'>> = {}, ordering: Ordering = {}): void {
    const { timeout, onTimeout, method, enabled, expiresAt, ...request } = more;
    const { id = null, by = null } = request;
    const options = { timeout, onTimeout, method, enabled, expiresAt };
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    const whole = {
      key: 'DSM',
      responseTopic: null,
      correlationData: null,
      reply: null,
      receivedAt: performance.now(),
    };
    this.jobs.submit({ ...whole, command: word, id, by, ...request }, command(word, { id, by, ...given }), ordering);
  }

  seen(domainNow: Domain | null): void {
    this.dispatch({ type: 'domain', key: 'DSM', domain: domainNow, at: new Date().toISOString() });
  }

  /** `status/code` of the answers, in order; only those to `id` if there is one. */
  told(topic = 'b/DSM/response', id: string | null = null): string[] {
    return this.responses
      .filter(response => response.topic === topic)
      .map(({ payload }) => JSON.parse(String(payload)))
      .filter(response => id === null || response.id === id)
      .map(({ status, code }) => (status === code ? status : `${status}/${code}`));
  }

  toldTo(id: string): string[] {
    return this.told(undefined, id);
  }

  last() {
    return JSON.parse(String(this.responses.at(-1)?.payload ?? null));
  }

  get made(): Call[] {
    return this.calls.map(([, call]) => call);
  }

  get vm(): VmSnapshot | undefined {
    return this.snapshot.vms['DSM'];
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'], now });
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('carried out', () => {
  test('a start: accepted, called at once, done when it runs', () => {
    const scene = new Scene({ domain: off });
    scene.submit('start', { id: 'a' });
    expect(scene.made).toEqual(['start']);
    expect(scene.told()).toEqual(['accepted']);
    expect(scene.last()).toMatchObject({ id: 'a', command: 'start', remaining_ms: 120_000 });
    expect(scene.vm?.work).toMatchObject({
      activity: 'starting',
      phase: 'calling',
      deadline: '2026-11-22T08:02:00.000Z',
    });
    scene.seen({ ...off, reason: 'unknown' });
    expect(scene.told()).toEqual(['accepted']);
    scene.seen(domain);
    expect(scene.told()).toEqual(['accepted', 'succeeded/done']);
    expect(scene.last()).toMatchObject({ id: 'a', message: 'it runs', elapsed_ms: 0, remaining_ms: null });
    expect(scene.vm).toMatchObject({ work: null, asked: null, lastError: null });
    expect(scene.notifications.map(({ event_type }) => event_type)).toEqual(['start_requested', 'command_succeeded']);
    scene.answer(null);
  });

  test('a shutdown: who asked, and how long it took', () => {
    const scene = new Scene();
    scene.submit('shutdown', { by: 'ups' });
    scene.answer(null);
    expect(scene.vm?.work).toMatchObject({ activity: 'shutting_down', phase: 'waiting_for_guest', attempt: 1 });
    vi.advanceTimersByTime(12_300);
    scene.seen({ ...domain, state: 'shutting_down' });
    scene.seen(off);
    expect(scene.told()).toEqual(['accepted', 'succeeded/done']);
    expect(scene.vm).toMatchObject({ work: null, asked: null });
    expect(scene.vm?.lastStop).toMatchObject({ by: 'ups', reason: 'shutdown', seconds: 12.3 });
  });

  test('the state is told before the outcome', () => {
    const scene = new Scene({ domain: off });
    scene.submit('start');
    scene.seen(domain);
    const told = scene.events.map(event => (event.type === 'work' ? (event.work?.activity ?? 'none') : event.type));
    expect(told.filter(type => type !== 'asked')).toEqual(['starting', 'wished', 'domain', 'none']);
  });

  test('whoever asks on this machine is answered here too, and told which answer is the last', () => {
    const scene = new Scene();
    const replies: [string, boolean][] = [];
    scene.submit('shutdown', { reply: ({ status }, final) => replies.push([status, final]) });
    scene.seen(off);
    expect(replies).toEqual([
      ['accepted', false],
      ['succeeded', true],
    ]);
    expect(scene.told()).toEqual(['accepted', 'succeeded/done']);
  });

  test.each<[CommandWord, Domain, Call, Domain]>([
    ['suspend', domain, 'suspend', { ...domain, state: 'paused', reason: 'user' }],
    ['resume', { ...domain, state: 'paused', reason: 'user' }, 'resume', domain],
    ['start', { ...domain, state: 'paused', reason: 'user' }, 'resume', domain],
    ['resume', { ...domain, state: 'pmsuspended', reason: 'unknown' }, 'wake_up', domain],
    ['start', { ...domain, state: 'pmsuspended', reason: 'unknown' }, 'wake_up', domain],
  ])('%s of a VM that is otherwise: one call, done when it is seen', (word, before, call, after) => {
    const scene = new Scene({ domain: before });
    scene.submit(word);
    expect(scene.made).toEqual([call]);
    scene.seen(after);
    expect(scene.told()).toEqual(['accepted', 'succeeded/done']);
  });

  test('what came about without an event is read when libvirt has answered', async () => {
    const scene = new Scene(
      {},
      {
        read: async () => {
          scene.snapshot = reduce(scene.snapshot, {
            ...{ type: 'domain', key: 'DSM', at: now.toISOString() },
            domain: { ...domain, state: 'paused', reason: 'user' },
          });
        },
      },
    );
    scene.submit('suspend');
    scene.answer(null);
    await settled();
    expect(scene.told()).toEqual(['accepted', 'succeeded/done']);
  });

  test.each<[CommandWord, Partial<Command>]>([
    ['screenshot', {}],
    ['autostart', { enabled: true }],
    ['quiet', { duration: 60_000 }],
    ['refresh', {}],
  ])('%s takes no slot: also during a shutdown', async (word, more) => {
    const scene = new Scene();
    scene.submit('shutdown', { id: 'first' });
    scene.submit(word, { id: 'beside', ...more });
    await settled();
    expect(scene.toldTo('beside')).toEqual(['succeeded/done']);
    expect(scene.toldTo('first')).toEqual(['accepted']);
    scene.jobs.close();
  });
});

test('of what takes no slot, four at once', async () => {
  const scene = new Scene();
  for (let i = 0; i < 6; i++) scene.submit('refresh');
  expect(scene.told()).toEqual(['rejected/busy', 'rejected/busy']);
  await settled();
  scene.submit('refresh');
  await settled();
  expect(scene.told().filter(told => told === 'succeeded/done')).toHaveLength(5);
});

describe('a reboot', () => {
  test('the guest’s own, for those who choose it', () => {
    const scene = new Scene({}, { vms: { DSM: policy({ reboot: { method: 'guest' } }) } });
    scene.submit('reboot');
    expect(scene.made).toEqual(['guest_reboot']);
    scene.dispatch({ type: 'rebooted', key: 'DSM', at: now.toISOString() });
    expect(scene.told()).toEqual(['accepted', 'succeeded/done']);
    expect(scene.vm?.asked).toBeNull();
  });
});

describe('not carried out, and libvirt is not asked', () => {
  type More = Partial<Omit<Command, 'word'>>;
  type Options = Partial<DispatcherOptions>;
  test.each<[what: string, word: CommandWord, told: string, vm: Partial<VmSnapshot>, options?: Options, more?: More]>([
    ['too late', 'shutdown', 'rejected/expired', {}, {}, { expiresAt: now.getTime() - 1 }],
    ['a policy that is not listed', 'shutdown', 'rejected/not_allowed', {}, {}, { onTimeout: 'force_off' }],
    ['it runs already', 'start', 'succeeded/already', { wish: 'running' }],
    ['it is off already', 'shutdown', 'succeeded/already', { domain: off, wish: 'off' }],
    ['nothing to cancel', 'cancel', 'succeeded/already', {}],
    ['paused', 'shutdown', 'rejected/wrong_state', { domain: { ...domain, state: 'paused' } }],
    ['no domain', 'start', 'rejected/wrong_state', { domain: null }],
    ['not listed', 'force_off', 'rejected/not_allowed', {}],
    ['a VM that nobody configured', 'start', 'rejected/unknown_vm', {}, { vms: {} }],
    ['read-only', 'shutdown', 'rejected/read_only', {}, { readOnly: true }],
    ['read-only, though there is nothing to do', 'start', 'rejected/read_only', {}, { readOnly: true }],
  ])('%s', (_, word, told, vm, options, more) => {
    const scene = new Scene(vm, options);
    scene.submit(word, more);
    expect(scene.told()).toEqual([told]);
    expect([scene.calls, scene.events]).toEqual([[], []]);
  });

  test('libvirt is away', () => {
    const scene = new Scene();
    scene.dispatch({ type: 'hypervisor_down', reason: 'killed' });
    scene.submit('shutdown');
    scene.submit('screenshot');
    expect(scene.told()).toEqual(['rejected/libvirt_unavailable', 'rejected/libvirt_unavailable']);
    expect(scene.calls).toEqual([]);
  });

  test('a second time with the same id, whatever became of the first', () => {
    const scene = new Scene({ domain: off });
    scene.submit('shutdown', { id: 'a' });
    scene.seen(domain);
    scene.submit('shutdown', { id: 'a' });
    expect(scene.told()).toEqual(['succeeded/already', 'rejected/duplicate']);
    scene.submit('start', { id: 'a', key: 'other' });
    expect(scene.told('b/other/response')).toEqual(['accepted']);
    vi.advanceTimersByTime(600_000);
    scene.submit('shutdown', { id: 'a' });
    expect(scene.told().at(-1)).toBe('accepted');
    scene.jobs.close();
  });

  test('a second time, thousands of ids later: new ones are refused instead, of this VM alone', () => {
    const scene = new Scene({ domain: off });
    scene.submit('shutdown', { id: 'ups-1' });
    for (let n = 1; n < 5_000; n += 1) scene.submit('cancel', { id: `${n}` });
    scene.submit('cancel', { id: 'one too many' });
    expect(scene.last()).toMatchObject({ status: 'rejected', code: 'busy', message: expect.stringContaining('id') });
    scene.submit('shutdown', { id: 'ups-1' });
    expect(scene.last()).toMatchObject({ status: 'rejected', code: 'duplicate' });
    scene.submit('shutdown');
    expect(scene.last()).toMatchObject({ status: 'succeeded', code: 'already' });
    scene.submit('start', { id: 'one too many', key: 'other' });
    expect(scene.told('b/other/response')).toEqual(['accepted']);
    scene.jobs.close();
  });

  test('an id that was refused may be tried again', () => {
    const scene = new Scene({ domain: { ...domain, state: 'paused' } });
    scene.submit('shutdown', { id: 'a' });
    scene.seen(domain);
    scene.submit('shutdown', { id: 'a' });
    expect(scene.told()).toEqual(['rejected/wrong_state', 'accepted']);
    scene.jobs.close();
  });
});

describe('who may interrupt whom', () => {
  test('busy: one at a time', () => {
    const scene = new Scene();
    scene.submit('shutdown', { id: 'first' });
    scene.submit('resume', { id: 'second' });
    scene.submit('suspend', { id: 'third' });
    expect(scene.told()).toEqual(['accepted', 'rejected/busy', 'rejected/busy']);
    expect(scene.last()).toMatchObject({
      id: 'third',
      command: 'suspend',
      message: expect.stringContaining('shutdown'),
    });
    expect(scene.calls).toHaveLength(1);
    scene.seen(off);
    expect(scene.last()).toMatchObject({ id: 'first', status: 'succeeded' });
  });

  test('a shutdown with a shorter deadline amends the running one, and both learn the outcome', () => {
    const scene = new Scene();
    scene.submit('shutdown', { id: 'me', by: 'me' });
    vi.advanceTimersByTime(10_000);
    scene.submit('shutdown', { id: 'ups', by: 'ups', timeout: 60_000 });
    expect(scene.vm?.work?.deadline).toBe('2026-11-22T08:01:10.000Z');
    expect(scene.made).toEqual(['press']);
    scene.seen(off);
    expect(scene.toldTo('me')).toEqual(['accepted', 'progress/amended', 'succeeded/done']);
    expect(scene.toldTo('ups').filter(told => !told.startsWith('progress'))).toEqual(['accepted', 'succeeded/done']);
    // Who wanted it off first does not want it started again because the mains are back.
    expect(scene.vm?.lastStop?.by).toBe('me');
  });

  test('what has not left yet is withdrawn when its command has ended', () => {
    const scene = new Scene();
    scene.submit('shutdown');
    const [, , { signal }] = scene.calls[0] ?? ['', '', { signal: AbortSignal.abort() }];
    expect(signal.aborted).toBe(false);
    scene.submit('cancel');
    expect(signal.aborted).toBe(true);
    scene.submit('suspend');
    const [, , second] = scene.calls[1] ?? ['', '', { signal: AbortSignal.abort() }];
    expect(second.signal.aborted).toBe(false);
    scene.jobs.close();
    expect(second.signal.aborted).toBe(true);
  });

  test('a domain that is configured twice takes its commands as the first', () => {
    const scene = new Scene();
    scene.dispatch({ type: 'domain', key: 'other', domain, at: now.toISOString() });
    scene.submit('start', { key: 'other' });
    expect(scene.told('b/other/response')).toEqual(['rejected/not_allowed']);
  });

  test('one that became the domain of a running command does not take it over', () => {
    const scene = new Scene({}, { vms: { DSM: policy(), other: policy() } });
    scene.dispatch({ type: 'domain', key: 'other', domain: { ...domain, uuid: otherUuid }, at: now.toISOString() });
    scene.submit('suspend', { key: 'other' });
    scene.seen({ ...domain, uuid: otherUuid });
    scene.submit('shutdown');
    expect(scene.told()).toEqual(['rejected/not_allowed']);
    expect(scene.made).toEqual(['suspend']);
    scene.jobs.close();
  });

  test.each<[CommandWord, Partial<Command>]>([
    ['start', {}],
    ['shutdown', { timeout: 60_000, onTimeout: 'force_off' }],
  ])('while libvirt is away a %s is not taken on for later', (word, options) => {
    const scene = new Scene({}, { vms: { DSM: daring, other: daring } });
    scene.submit('shutdown', { id: 'a' });
    scene.dispatch({ type: 'hypervisor_down', reason: 'gone' });
    scene.submit(word, { id: 'b', ...options });
    expect(scene.toldTo('b')).toEqual(['rejected/libvirt_unavailable']);
    expect(scene.vm?.work).toMatchObject({ startAfterOff: false, deadline: '2026-11-22T08:05:00.000Z' });
    scene.jobs.close();
  });

  describe('a shutdown that takes the place of a rebuild', () => {
    /** Its rebuild ends when the test says so. */
    const rebuilding = () => {
      let ended = (_: Outcome): void => {};
      const cancel = vi.fn();
      const scene = new Scene(
        {},
        {
          vms: { DSM: policy({ commands: ['rebuild', 'shutdown', 'cancel'] }), other: policy() },
          loader: (_key, _command, place) => {
            ended = place.ended;
            return { within: 1_000, cancel };
          },
        },
      );
      scene.submit('rebuild');
      return { scene, end: () => ended(cancelled('cancelled', 'it was cancelled')), cancel };
    };

    test('is carried out when that has ended', () => {
      const { scene, end } = rebuilding();
      scene.submit('shutdown', { id: 'b' });
      expect(scene.made).toEqual([]);
      end();
      expect(scene.made).toEqual(['press']);
      scene.jobs.close();
    });

    test('is carried out however long that took, if it came in time itself', () => {
      const { scene, end } = rebuilding();
      scene.submit('shutdown', { id: 'b', expiresAt: now.getTime() + 60_000 });
      vi.advanceTimersByTime(120_000);
      end();
      expect(scene.made).toEqual(['press']);
      scene.jobs.close();
    });

    test('waits for other VMs then, if it has an order, and leaves what the VM is meant to be', () => {
      const { scene, end } = rebuilding();
      scene.submit('shutdown', { id: 'b' }, { hold: { reserve: 60_000, first: 'box' }, keepsWish: true });
      end();
      expect(scene.toldTo('b')).toEqual(['progress/phase', 'accepted', 'progress/dependents']);
      expect(scene.vm?.work).toMatchObject({ phase: 'waiting_for_dependents' });
      scene.jobs.release('DSM');
      expect(scene.made).toEqual(['press']);
      expect(scene.vm?.wish).toBe('running');
      scene.jobs.close();
    });

    test('not while libvirt is away: the rebuild goes on', () => {
      const { scene, cancel } = rebuilding();
      scene.dispatch({ type: 'hypervisor_down', reason: 'gone' });
      scene.submit('shutdown', { id: 'b' });
      expect(scene.toldTo('b')).toEqual(['rejected/libvirt_unavailable']);
      expect(cancel).not.toHaveBeenCalled();
    });

    test('not when the bridge ends before', () => {
      const { scene, end } = rebuilding();
      scene.submit('shutdown', { id: 'b' });
      scene.jobs.close();
      end();
      expect(scene.made).toEqual([]);
      expect(scene.toldTo('b')).toEqual(['progress/phase', 'failed/outcome_unknown']);
    });

    test('is what the VM is meant to be, whoever asks for the end of the rebuild after it', () => {
      const { scene, end } = rebuilding();
      scene.submit('shutdown', { id: 'b' });
      scene.submit('cancel', { id: 'c' });
      end();
      expect(scene.made).toEqual(['press']);
      expect(scene.toldTo('c')).toEqual(['progress/phase', 'succeeded/done']);
      expect(scene.vm?.wish).toBe('off');
      scene.jobs.close();
    });

    test('not of another domain that has its name by then', () => {
      const { scene, end } = rebuilding();
      scene.submit('shutdown', { id: 'b' });
      scene.seen({ ...domain, uuid: otherUuid });
      end();
      expect(scene.made).toEqual([]);
      expect(scene.toldTo('b')).toEqual(['progress/phase', 'failed/domain_gone']);
    });
  });

  test('a start during a shutdown is kept, shown, and carried out 10 s after off', () => {
    const scene = new Scene();
    scene.submit('shutdown', { id: 'off' });
    scene.submit('start', { id: 'on' });
    expect(scene.vm?.work).toMatchObject({ activity: 'shutting_down', startAfterOff: true });
    scene.seen(off);
    expect(scene.toldTo('off').at(-1)).toBe('succeeded/done');
    expect(scene.vm?.work).toMatchObject({ activity: 'starting', phase: 'pausing', startAfterOff: false });
    vi.advanceTimersByTime(10_000);
    expect(scene.made).toEqual(['press', 'start']);
    scene.seen(domain);
    expect(scene.toldTo('on').at(-1)).toBe('succeeded/done');
    expect(scene.vm?.lastStop?.by).toBe('bridge');
  });

  test('a kept start whose time has passed is not carried out', () => {
    const scene = new Scene();
    scene.submit('shutdown');
    scene.submit('start', { id: 'on', expiresAt: now.getTime() + 5_000 });
    vi.advanceTimersByTime(3_000);
    scene.seen(off);
    vi.advanceTimersByTime(10_000);
    expect(scene.toldTo('on').at(-1)).toBe('rejected/expired');
    expect(scene.made).toEqual(['press']);
  });

  test('cancel ends a shutdown; what the guest has been asked cannot be taken back', () => {
    const scene = new Scene();
    scene.submit('shutdown', { id: 'off', by: 'ups' });
    scene.submit('cancel', { id: 'no' });
    expect(scene.toldTo('off')).toEqual(['accepted', 'cancelled']);
    expect(scene.toldTo('no')).toEqual(['succeeded/done']);
    expect(scene.vm?.work).toBeNull();
    vi.advanceTimersByTime(600_000);
    expect(scene.made).toEqual(['press']);
    scene.seen(off);
    expect(scene.vm?.lastStop).toMatchObject({ by: 'ups', seconds: 600 });
  });

  test('a power cut takes the place of a shutdown', () => {
    const scene = new Scene({}, { vms: { DSM: daring } });
    scene.submit('shutdown', { id: 'off' });
    scene.submit('force_off', { id: 'cut' });
    expect(scene.toldTo('off')).toEqual(['accepted', 'cancelled/superseded']);
    expect(scene.made).toEqual(['press', 'cut_power']);
    scene.seen({ ...off, reason: 'destroyed' });
    expect(scene.toldTo('cut')).toEqual(['accepted', 'succeeded/done']);
  });

  test('what cannot be carried out ends nothing', () => {
    const scene = new Scene({}, { vms: { DSM: daring } });
    scene.submit('shutdown', { id: 'off' });
    scene.dispatch({ type: 'hypervisor_down', reason: 'killed' });
    scene.submit('force_off', { id: 'cut' });
    expect(scene.toldTo('cut')).toEqual(['rejected/libvirt_unavailable']);
    expect(scene.vm?.work?.activity).toBe('shutting_down');
    scene.submit('cancel', { id: 'no' });
    expect(scene.toldTo('no')).toEqual(['succeeded/done']);
  });

  test('a UPS ends a reboot: before the guest is up again', () => {
    const scene = new Scene();
    scene.submit('reboot', { id: 'again' });
    scene.seen(off);
    scene.submit('shutdown', { id: 'ups' });
    expect(scene.toldTo('again').at(-1)).toBe('cancelled/superseded');
    expect(scene.toldTo('ups')).toEqual(['succeeded/already']);
    vi.advanceTimersByTime(60_000);
    expect(scene.made).toEqual(['press']);
  });

  test('and while libvirt is away: it is off already, and only is not started', () => {
    const scene = new Scene();
    scene.submit('reboot', { id: 'again' });
    scene.seen(off);
    scene.dispatch({ type: 'hypervisor_down', reason: 'killed' });
    scene.submit('shutdown', { id: 'ups' });
    expect(scene.toldTo('ups')).toEqual(['succeeded/already']);
    scene.dispatch({ type: 'hypervisor_up', info: { hostname: 'h', libvirt: '9', hypervisor: 'QEMU' } });
    vi.advanceTimersByTime(60_000);
    expect(scene.made).toEqual(['press']);
  });

  test('a command that is given from inside an answer is not lost, and is the only one', () => {
    const scene = new Scene({}, { vms: { DSM: daring } });
    const reply = (answer: { status: string }) => {
      if (answer.status === 'cancelled') scene.submit('suspend', { id: 'inner' });
    };
    scene.submit('shutdown', { id: 'off', reply });
    scene.submit('force_off', { id: 'cut' });
    expect(scene.toldTo('cut')).toEqual(['rejected/busy']);
    expect(scene.toldTo('inner')).toEqual(['accepted']);
    expect(scene.made).toEqual(['press', 'suspend']);
    scene.jobs.close();
  });
});

describe('time is up', () => {
  test('the guest does not power off: asked three times, told loudly, left running', async () => {
    const scene = new Scene();
    scene.submit('shutdown');
    scene.answer(null);
    await vi.advanceTimersByTimeAsync(299_999);
    expect(scene.made).toEqual(['press', 'press', 'press']);
    expect(scene.told()).toEqual(['accepted', 'progress/pressed', 'progress/pressed']);
    await vi.advanceTimersByTimeAsync(1);
    expect(scene.told().at(-1)).toBe('failed/timed_out');
    expect(scene.last().message).toMatch(/^the guest did not power off within 300 s: .*; it is left running$/);
    expect(scene.vm).toMatchObject({
      work: null,
      domain: { active: true },
      lastError: { code: 'timed_out', message: expect.stringMatching(/^shutdown: /), at: '2026-11-22T08:05:00.000Z' },
    });
    expect(scene.notifications.at(-1)?.event_type).toBe('shutdown_timed_out');
    expect(scene.calls).toHaveLength(3);
  });

  test('its power is cut where that is configured and listed', () => {
    const cutting = { ...daring, shutdown: { ...daring.shutdown, onTimeout: 'force_off' } } as const;
    const scene = new Scene({}, { vms: { DSM: cutting } });
    scene.submit('shutdown', { by: 'ups' });
    vi.advanceTimersByTime(300_000);
    expect(scene.made.at(-1)).toBe('cut_power');
    expect(scene.vm?.work).toMatchObject({ activity: 'shutting_down', phase: 'cutting_power' });
    scene.seen({ ...off, reason: 'destroyed' });
    expect(scene.told().slice(-2)).toEqual(['progress/cutting_power', 'succeeded/forced']);
    expect(scene.vm?.lastStop).toMatchObject({ by: 'ups', reason: 'destroyed', seconds: 300 });
  });

  test.each<[CommandWord, Domain, number]>([
    ['start', off, 120_000],
    ['shutdown', domain, 300_000],
  ])('%s: the sender may grant another time', (word, before, usual) => {
    const scene = new Scene({ domain: before });
    scene.submit(word, { timeout: 1_500 });
    expect(scene.vm?.work?.deadline).toBe('2026-11-22T08:00:01.500Z');
    vi.advanceTimersByTime(1_500);
    expect(scene.told()).toEqual(['accepted', 'failed/timed_out']);
    scene.submit(word);
    vi.advanceTimersByTime(usual);
    expect(scene.told().at(-1)).toBe('failed/timed_out');
  });
});

describe('DSM’s ports', () => {
  test('closed, it is asked no more', async () => {
    const answers = [true, true, false];
    const portsOpen = async () => answers.shift() ?? false;
    const scene = new Scene({}, { portsOpen, vms: { DSM: policy() } });
    scene.submit('shutdown');
    await settled();
    vi.advanceTimersByTime(60_000);
    await settled();
    expect(scene.made).toEqual(['press', 'press']);
    vi.advanceTimersByTime(60_000);
    await settled();
    expect(scene.made).toEqual(['press', 'press']);
    expect(scene.told().at(-1)).toBe('progress/closing');
    scene.seen(off);
    expect(scene.told().at(-1)).toBe('succeeded/done');
  });

  test('as they were before the guest restarted tell nothing of it', async () => {
    let answer: (open: boolean) => void = () => {};
    const portsOpen = () =>
      new Promise<boolean>(resolve => {
        answer = resolve;
      });
    const scene = new Scene({}, { portsOpen, vms: { DSM: policy() } });
    scene.submit('shutdown');
    const late = answer;
    scene.dispatch({ type: 'rebooted', key: 'DSM', at: now.toISOString() });
    late(true);
    for (const _ of [1, 2, 3, 4, 5]) {
      await settled();
      vi.advanceTimersByTime(59_000);
      answer(false);
      await settled();
    }
    expect(scene.told()).not.toContain('progress/closing');
    expect(scene.made).toHaveLength(3);
    scene.jobs.close();
  });
});

describe('what the checks say of DSM', () => {
  const check = (verdict: Verdict, wasUp = false): Check => ({
    ...checkOf(verdict),
    ...{ checkedAt: new Date().toISOString(), wasUp },
  });
  test('updating, as is said after a press: what has not left is taken back, and the shutdown goes on', async () => {
    const scene = new Scene(
      {},
      {
        call: (_, __, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason));
          }),
      },
    );
    scene.submit('shutdown');
    scene.dispatch({ type: 'checked', key: 'DSM', check: check('updating'), at: now.toISOString() });
    await settled();
    expect(scene.told()).toEqual(['accepted', 'progress/updating', 'progress/no_answer']);
    scene.jobs.close();
  });

  test.each<[string, CommandWord, Partial<Command>, seconds: number, Verdict, taken: boolean]>([
    ['the restart that the guest is asked for', 'reboot', { method: 'guest' }, 0, 'updating', true],
    ['a reset', 'reset', {}, 0, 'updating', true],
    ['the power cut after a time-out', 'shutdown', { timeout: 60_000, onTimeout: 'force_off' }, 60, 'updating', true],
    ['the same, of a damaged DSM', 'shutdown', { timeout: 60_000, onTimeout: 'force_off' }, 60, 'recoverable', true],
    ['not the power cut that is commanded', 'force_off', {}, 0, 'updating', false],
    ['not a press, of a damaged DSM', 'shutdown', {}, 0, 'recoverable', false],
  ])('what has not left is taken back: %s', (_, word, options, seconds, verdict, taken) => {
    const scene = new Scene({}, { vms: { DSM: daring } });
    scene.submit(word, options);
    vi.advanceTimersByTime(seconds * 1_000);
    const signal = scene.calls.at(-1)?.[2].signal;
    scene.dispatch({ type: 'checked', key: 'DSM', check: check(verdict), at: new Date().toISOString() });
    expect(signal?.aborted).toBe(taken);
    scene.jobs.close();
  });

  test.each<CommandWord>(['reboot', 'reset'])('updating: %s is refused', word => {
    const scene = new Scene({ check: check('updating') });
    scene.submit(word);
    expect(scene.told()).toEqual(['rejected/wrong_state']);
    expect(scene.calls).toEqual([]);
  });

  test.each([1, -1])('updating, and then the clock is set by %d h: that is believed as long as before', hours => {
    const scene = new Scene();
    const found = check('updating');
    scene.dispatch({ type: 'checked', key: 'DSM', check: found, at: now.toISOString() });
    vi.setSystemTime(Date.now() + hours * 3_600_000);
    vi.advanceTimersByTime(120_000);
    // The same check, reported again: for libvirt has reported something.
    scene.dispatch({ type: 'checked', key: 'DSM', check: { ...found, problem: true }, at: now.toISOString() });
    vi.advanceTimersByTime(120_000);
    scene.submit('reset');
    expect(scene.told()).toEqual(['rejected/wrong_state']);
    vi.advanceTimersByTime(120_000);
    scene.submit('reset');
    expect(scene.made).toEqual(['reset']);
    scene.jobs.close();
  });
});

describe('libvirt’s answer', () => {
  test('to a job that has ended concerns nobody, not even the next one', async () => {
    const scene = new Scene({ domain: off });
    scene.submit('start');
    const late = scene.answer;
    scene.seen(domain);
    scene.submit('shutdown');
    late({ kind: 'failed', code: 'libvirt_error', message: 'late' });
    await settled();
    expect(scene.told()).toEqual(['accepted', 'succeeded/done', 'accepted']);
    scene.jobs.close();
  });

  test('a call that throws what nobody expects is a failure too', async () => {
    const scene = new Scene({}, { call: () => Promise.reject(new Error('odd')) });
    scene.submit('shutdown');
    await settled();
    expect(scene.last()).toMatchObject({ status: 'failed', code: 'outcome_unknown', message: 'odd' });
  });
});

test('closed: who waits is told, and later events are not heard', () => {
  const scene = new Scene();
  scene.submit('shutdown', { id: 'a' });
  scene.jobs.close();
  scene.jobs.close();
  expect(scene.last()).toMatchObject({ id: 'a', status: 'failed', code: 'outcome_unknown' });
  scene.seen(off);
  expect(scene.told()).toHaveLength(2);
  scene.submit('start', { id: 'b' });
  expect(scene.toldTo('b')).toEqual(['rejected/busy']);
  expect(scene.made).toEqual(['press']);
});

test('every answer leaves its line in the log, refusals and failures as warnings', () => {
  const scene = new Scene({ domain: off });
  scene.submit('start', { id: 'a', by: 'me' });
  scene.submit('start', { id: 'b' });
  scene.jobs.close();
  expect(scene.log.entries).toMatchObject([
    { level: 'info', event: 'command.accepted', vm: 'DSM', id: 'a', by: 'me' },
    { level: 'warn', event: 'command.rejected', vm: 'DSM', id: 'b', code: 'busy' },
    { level: 'warn', event: 'command.failed', vm: 'DSM', id: 'a' },
  ]);
});

/** Whatever was promised and is decided has been heard. */
async function settled(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
}
