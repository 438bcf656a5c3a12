/** A command from its acceptance to its outcome, with libvirt's part played by the test. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Jobs, type JobsOptions } from '../../src/bridge/jobs.ts';
import { type Request, Responder } from '../../src/bridge/respond.ts';
import type { Command, CommandWord } from '../../src/model/command.ts';
import type { Domain } from '../../src/model/domain.ts';
import type { Event } from '../../src/model/event.ts';
import { reduce } from '../../src/model/reduce.ts';
import type { Snapshot, VmSnapshot } from '../../src/model/snapshot.ts';
import { topics } from '../../src/model/topics.ts';
import type { CallFailure } from '../../src/vm/power.ts';
import { domain, off, otherUuid, snapshotOf } from '../model/samples.ts';
import { recorder } from '../mqtt/inbox.ts';

const now = new Date('2026-11-22T08:00:00.000Z');

/** Everything between a command and its answers. */
class Scene {
  readonly log = recorder();
  readonly calls: [key: string, word: CommandWord][] = [];
  readonly responses: { topic: string; payload: string; properties?: { correlationData: Buffer } }[] = [];
  readonly events: Event[] = [];
  readonly jobs: Jobs;
  snapshot: Snapshot;
  /** Libvirt's answer to the call under way. */
  answer: (failure: CallFailure | null) => void = () => {};

  constructor(vm: Partial<VmSnapshot> = {}, options: Partial<JobsOptions> = {}) {
    this.snapshot = snapshotOf(vm);
    const responder = new Responder({
      topics: topics('b'),
      send: publication => this.responses.push(publication) > 0,
      logger: this.log,
    });
    this.jobs = new Jobs({
      vms: {
        DSM: { commands: ['start', 'shutdown'], shutdownTimeout: 300_000 },
        other: { commands: ['start'], shutdownTimeout: 300_000 },
      },
      readOnly: false,
      snapshot: () => this.snapshot,
      call: (key, word) => {
        this.calls.push([key, word]);
        return new Promise(resolve => {
          this.answer = resolve;
        });
      },
      responder,
      emit: this.dispatch,
      now: () => now,
      ...options,
    });
  }

  readonly dispatch = (event: Event): void => {
    this.events.push(event);
    this.snapshot = reduce(this.snapshot, event);
    this.jobs.hear(event);
  };

  submit(word: CommandWord, more: Partial<Request & { timeout: number }> = {}): void {
    const { timeout = null, ...request } = more;
    const command: Command = { word, id: request.id ?? null, timeout };
    const whole = { key: 'DSM', command: word, id: null, responseTopic: null, correlationData: null, receivedAt: 0 };
    this.jobs.submit({ ...whole, ...request }, command);
  }

  seen(domainNow: Domain | null): void {
    this.dispatch({ type: 'domain', key: 'DSM', domain: domainNow, at: now.toISOString() });
  }

  /** `status/code` of the answers, in order. */
  told(topic = 'b/DSM/response'): string[] {
    return this.responses
      .filter(response => response.topic === topic)
      .map(({ payload }) => JSON.parse(payload))
      .map(({ status, code }) => (status === code ? status : `${status}/${code}`));
  }

  last() {
    return JSON.parse(this.responses.at(-1)?.payload ?? 'null');
  }

  get vm(): VmSnapshot | undefined {
    return this.snapshot.vms['DSM'];
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('carried out', () => {
  test('a start: accepted, called at once, done when it runs', () => {
    const scene = new Scene({ domain: off });
    scene.submit('start', { id: 'a' });
    expect(scene.calls).toEqual([['DSM', 'start']]);
    expect(scene.told()).toEqual(['accepted']);
    expect(scene.vm).toMatchObject({ activity: 'starting', deadline: '2026-11-22T08:02:00.000Z' });
    scene.seen({ ...off, reason: 'unknown' });
    expect(scene.told()).toEqual(['accepted']);
    scene.seen(domain);
    expect(scene.told()).toEqual(['accepted', 'succeeded/done']);
    expect(scene.last()).toMatchObject({
      id: 'a',
      command: 'start',
      message: 'it runs',
      elapsed_ms: expect.any(Number),
    });
    expect(scene.vm).toMatchObject({ activity: 'none', deadline: null, lastError: null });
    scene.answer(null);
  });

  test('a shutdown: by the bridge, and for how long', () => {
    const scene = new Scene();
    scene.submit('shutdown');
    scene.answer(null);
    scene.seen({ ...domain, state: 'shutting_down' });
    scene.seen(off);
    expect(scene.told()).toEqual(['accepted', 'succeeded/done']);
    expect(scene.vm).toMatchObject({
      activity: 'none',
      lastStop: { by: 'bridge', reason: 'shutdown', seconds: 0 },
    });
  });

  test('the state is told before the outcome', () => {
    const scene = new Scene({ domain: off });
    scene.submit('start');
    scene.seen(domain);
    expect(scene.events.map(event => (event.type === 'activity' ? event.activity : event.type))).toEqual([
      ...['starting', 'domain', 'none'],
    ]);
  });

  test('two VMs at the same time', () => {
    const scene = new Scene();
    scene.submit('shutdown');
    scene.submit('start', { key: 'other' });
    expect(scene.calls).toEqual([
      ['DSM', 'shutdown'],
      ['other', 'start'],
    ]);
    scene.jobs.close();
  });

  test('an answer also goes where the sender wants it, with the sender’s mark', () => {
    const scene = new Scene({ domain: off });
    const correlationData = Buffer.from('mark');
    scene.submit('start', { responseTopic: 'me', correlationData });
    scene.seen(domain);
    expect(scene.told('me')).toEqual(['accepted', 'succeeded/done']);
    expect(scene.told()).toEqual(['accepted', 'succeeded/done']);
    for (const { topic, properties } of scene.responses) {
      expect(properties).toEqual(topic === 'me' ? { correlationData } : undefined);
    }
  });

  test('an answer that is wanted where it goes anyway goes there once', () => {
    const scene = new Scene();
    scene.submit('start', { responseTopic: 'b/DSM/response' });
    expect(scene.responses).toHaveLength(1);
  });
});

describe('not carried out, and libvirt is not asked', () => {
  test.each<[what: string, word: CommandWord, told: string, vm: Partial<VmSnapshot>, options?: Partial<JobsOptions>]>([
    ['it runs already', 'start', 'succeeded/already', {}],
    ['it is off already', 'shutdown', 'succeeded/already', { domain: off }],
    ['paused', 'shutdown', 'rejected/wrong_state', { domain: { ...domain, state: 'paused' } }],
    ['no domain', 'start', 'rejected/wrong_state', { domain: null }],
    [
      'not listed',
      'shutdown',
      'rejected/not_allowed',
      {},
      { vms: { DSM: { commands: ['start'], shutdownTimeout: 1 } } },
    ],
    ['a VM that nobody configured', 'start', 'rejected/not_allowed', {}, { vms: {} }],
    ['read-only', 'shutdown', 'rejected/read_only', {}, { readOnly: true }],
    ['read-only, though there is nothing to do', 'start', 'rejected/read_only', {}, { readOnly: true }],
  ])('%s', (_, word, told, vm, options) => {
    const scene = new Scene(vm, options);
    scene.submit(word);
    expect(scene.told()).toEqual([told]);
    expect([scene.calls, scene.events]).toEqual([[], []]);
  });

  test('libvirt is away', () => {
    const scene = new Scene();
    scene.dispatch({ type: 'hypervisor_down', reason: 'killed' });
    scene.submit('shutdown');
    expect(scene.told()).toEqual(['rejected/libvirt_unavailable']);
    expect(scene.calls).toEqual([]);
  });

  test('busy: one at a time, even the same', () => {
    const scene = new Scene();
    scene.submit('shutdown', { id: 'first' });
    scene.submit('shutdown', { id: 'second' });
    scene.submit('start', { id: 'third' });
    expect(scene.told()).toEqual(['accepted', 'rejected/busy', 'rejected/busy']);
    expect(scene.last()).toMatchObject({ id: 'third', command: 'start', message: expect.stringContaining('shutdown') });
    expect(scene.calls).toHaveLength(1);
    scene.seen(off);
    expect(scene.last()).toMatchObject({ id: 'first', status: 'succeeded' });
    scene.submit('start');
    expect(scene.told().at(-1)).toBe('accepted');
    scene.jobs.close();
  });
});

describe('time is up', () => {
  test('the guest does not power off: told loudly, and left running', () => {
    const scene = new Scene();
    scene.submit('shutdown');
    expect(scene.vm?.deadline).toBe('2026-11-22T08:05:00.000Z');
    scene.answer(null);
    vi.advanceTimersByTime(299_999);
    expect(scene.told()).toEqual(['accepted']);
    vi.advanceTimersByTime(1);
    expect(scene.told()).toEqual(['accepted', 'failed/timed_out']);
    expect(scene.last().message).toBe('the guest did not power off within 300 s; it is left running');
    expect(scene.vm).toMatchObject({
      activity: 'none',
      domain: { active: true },
      lastError: { code: 'timed_out', message: expect.stringMatching(/^shutdown: /), at: now.toISOString() },
    });
    expect(scene.calls).toHaveLength(1);
    scene.seen(off);
    expect(scene.told()).toHaveLength(2);
  });

  test.each<[CommandWord, Domain, number]>([
    ['start', off, 120_000],
    ['shutdown', domain, 300_000],
  ])('%s: the sender may grant another time', (word, before, usual) => {
    const scene = new Scene({ domain: before });
    scene.submit(word, { timeout: 1_500 });
    expect(scene.vm?.deadline).toBe('2026-11-22T08:00:01.500Z');
    vi.advanceTimersByTime(1_500);
    scene.submit(word);
    vi.advanceTimersByTime(usual);
    expect(scene.told()).toEqual(['accepted', 'failed/timed_out', 'accepted', 'failed/timed_out']);
  });
});

describe('libvirt’s answer', () => {
  const failure = (status: 'failed' | 'rejected', code: CallFailure['code']): CallFailure => ({
    type: 'call_failed',
    status,
    code,
    message: 'because',
  });

  test.each([
    failure('failed', 'outcome_unknown'),
    failure('failed', 'libvirt_error'),
    failure('rejected', 'libvirt_unavailable'),
    failure('rejected', 'read_only'),
  ])('$status/$code ends it, and it is not tried again', async answer => {
    const scene = new Scene();
    scene.submit('shutdown');
    scene.answer(answer);
    await settled();
    expect(scene.told()).toEqual(['accepted', `${answer.status}/${answer.code}`]);
    expect(scene.vm?.activity).toBe('none');
    expect(scene.vm?.lastError?.code ?? null).toBe(answer.status === 'failed' ? answer.code : null);
    expect(scene.calls).toHaveLength(1);
  });

  test('to a job that has ended concerns nobody, not even the next one', async () => {
    const scene = new Scene({ domain: off });
    scene.submit('start');
    const late = scene.answer;
    scene.seen(domain);
    scene.submit('shutdown');
    late(failure('failed', 'libvirt_error'));
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

test('another domain under the name ends it', () => {
  const scene = new Scene();
  scene.submit('shutdown');
  scene.seen({ ...off, uuid: otherUuid });
  expect(scene.told()).toEqual(['accepted', 'failed/domain_gone']);
});

test('libvirt away in between is no end: what has become of it is seen later', () => {
  const scene = new Scene();
  scene.submit('shutdown');
  scene.answer(null);
  scene.dispatch({ type: 'hypervisor_down', reason: 'killed' });
  scene.seen(off);
  expect(scene.told()).toEqual(['accepted', 'succeeded/done']);
});

test('closed: who waits is told, and later events are not heard', () => {
  const scene = new Scene();
  scene.submit('shutdown', { id: 'a' });
  scene.jobs.close();
  scene.jobs.close();
  expect(scene.last()).toMatchObject({ id: 'a', status: 'failed', code: 'outcome_unknown' });
  scene.seen(off);
  expect(scene.told()).toHaveLength(2);
});

test('every answer leaves its line in the log, refusals and failures as warnings', () => {
  const scene = new Scene({ domain: off });
  scene.submit('start', { id: 'a' });
  scene.submit('start', { id: 'b' });
  scene.jobs.close();
  expect(scene.log.entries).toMatchObject([
    { level: 'info', event: 'command.accepted', vm: 'DSM', id: 'a' },
    { level: 'warn', event: 'command.rejected', vm: 'DSM', id: 'b', code: 'busy' },
    { level: 'warn', event: 'command.failed', vm: 'DSM', id: 'a' },
  ]);
});

/** Whatever was promised and is decided has been heard. */
async function settled(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
}
