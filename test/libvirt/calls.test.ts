import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Calls } from '../../src/libvirt/calls.ts';
import { ConnectionLost, LibvirtError, ProtocolError, TimeoutError } from '../../src/libvirt/errors.ts';
import { type Frame, FrameDecoder, frameStatus, frameType } from '../../src/libvirt/frame.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { remoteError, text } from '../../src/libvirt/structs.ts';
import { type Codec, none } from '../../src/libvirt/xdr.ts';
import { frameOf } from './peer.ts';

const { domainLookupByName: lookup, connectGetHostname: hostname } = procedures;
const reply = { domain: { name: 'DSM', uuid: '186682f9-0f0b-4a9e-867b-364706339405', id: 1 } };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(limit = 4) {
  const written: Frame[] = [];
  const calls = new Calls(frame => written.push(...new FrameDecoder().push(frame)), limit);
  const answer = <T>(serial: number, codec: Codec<T>, value: T, status: number = frameStatus.ok) => {
    const [frame] = new FrameDecoder().push(frameOf({ type: frameType.reply, serial, status }, codec, value));
    if (frame) calls.answer(frame);
  };
  const ask = (name: string, options = {}) => calls.submit(lookup, { name }, options);
  return { calls, written, answer, ask };
}

/** What a promise has come to so far. */
async function settled(promise: Promise<unknown>): Promise<'pending' | 'resolved' | 'rejected'> {
  const pending = Promise.resolve('pending' as const);
  return Promise.race([
    promise.then(
      () => 'resolved' as const,
      () => 'rejected' as const,
    ),
    pending.then(() => pending).then(() => pending),
  ]);
}

test('replies find their calls by serial, in any order', async () => {
  const { calls, written, answer, ask } = setUp();
  const first = ask('a');
  const second = calls.submit(hostname, undefined, {});
  expect(written.map(({ serial, procedure, type }) => ({ serial, procedure, type }))).toEqual([
    { serial: 0, procedure: lookup.number, type: frameType.call },
    { serial: 1, procedure: hostname.number, type: frameType.call },
  ]);
  answer(1, hostname.reply, { hostname: 'nas' });
  answer(0, lookup.reply, reply);
  expect(await second).toEqual({ hostname: 'nas' });
  expect(await first).toEqual(reply);
  expect(calls.inFlight).toBe(0);
});

test('a refusal is a LibvirtError with its code', async () => {
  const { answer, ask } = setUp();
  const call = ask('nope');
  const unused = { subject: null, str2: null, str3: null, int1: -1, int2: -1, network: null };
  const error = { code: 42, domain: 10, message: 'Domain not found', level: 2, str1: '%s', ...unused };
  answer(0, remoteError, error, frameStatus.error);
  await expect(call).rejects.toMatchObject({ name: 'LibvirtError', code: 42, domain: 10 });
  await expect(call).rejects.toThrow('domainLookupByName: Domain not found');
});

describe('the cap', () => {
  test('a fifth call waits for a place, in order', async () => {
    const { written, answer, ask } = setUp(4);
    const calls = ['a', 'b', 'c', 'd', 'e', 'f'].map(name => ask(name));
    expect(written.length).toBe(4);
    answer(2, lookup.reply, reply);
    expect(written.length).toBe(5);
    for (const serial of [0, 1, 3, 4, 5]) answer(serial, lookup.reply, reply);
    await Promise.all(calls);
    const names = written.map(({ payload }) => payload.subarray(4, 5).toString());
    expect(names).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  test('arguments that cannot be encoded cost no place and no serial', async () => {
    const { calls, written, ask } = setUp(1);
    const broken = calls.submit(procedures.domainLookupByUuid, { uuid: 'not a uuid' }, {});
    await expect(broken).rejects.toThrow(RangeError);
    void ask('a');
    expect(written.map(({ serial }) => serial)).toEqual([0]);
  });
});

describe('time-outs', () => {
  test('of a call that was sent: the daemon may still act', async () => {
    const { ask } = setUp();
    const call = ask('a', { timeout: 1_000 });
    const outcome = expect(call).rejects.toMatchObject({ name: 'TimeoutError', sent: true });
    await vi.advanceTimersByTimeAsync(1_000);
    await outcome;
  });

  test('keep the place until the late reply, which is nobody’s', async () => {
    const { calls, written, answer, ask } = setUp(1);
    const late = expect(ask('a', { timeout: 1_000 })).rejects.toThrow(TimeoutError);
    await vi.advanceTimersByTimeAsync(1_000);
    await late;
    const next = ask('b', { timeout: 10_000 });
    expect([calls.inFlight, written.length]).toEqual([1, 1]);
    answer(0, lookup.reply, reply);
    expect(written.length).toBe(2);
    answer(1, lookup.reply, reply);
    expect(await next).toEqual(reply);
  });

  test('of a call still queued: it had no effect and is never written', async () => {
    const { written, answer, ask } = setUp(1);
    const first = ask('a');
    const queued = expect(ask('b', { timeout: 1_000 })).rejects.toMatchObject({ name: 'TimeoutError', sent: false });
    await vi.advanceTimersByTimeAsync(1_000);
    await queued;
    answer(0, lookup.reply, reply);
    await first;
    expect(written.length).toBe(1);
  });

  test('leave no timer behind once answered', async () => {
    const { answer, ask } = setUp();
    const call = ask('a', { timeout: 1_000 });
    answer(0, lookup.reply, reply);
    await call;
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('abort', () => {
  test('beforehand: nothing is written', async () => {
    const { written, ask } = setUp();
    await expect(ask('a', { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
    expect(written).toEqual([]);
  });

  test('while queued: never written', async () => {
    const { written, answer, ask } = setUp(1);
    const controller = new AbortController();
    const first = ask('a');
    const queued = ask('b', { signal: controller.signal });
    controller.abort(new Error('stop'));
    await expect(queued).rejects.toThrow('stop');
    answer(0, lookup.reply, reply);
    await first;
    expect(written.length).toBe(1);
  });

  test('in flight: the caller is let go, the place is not', async () => {
    const { calls, answer, ask } = setUp(1);
    const controller = new AbortController();
    const call = ask('a', { signal: controller.signal });
    controller.abort(new Error('stop'));
    await expect(call).rejects.toThrow('stop');
    expect(calls.inFlight).toBe(1);
    answer(0, lookup.reply, reply);
    expect(calls.inFlight).toBe(0);
  });

  test('after the reply: no listener is left on the signal', async () => {
    const { answer, ask } = setUp();
    const controller = new AbortController();
    const remove = vi.spyOn(controller.signal, 'removeEventListener');
    const call = ask('a', { signal: controller.signal });
    answer(0, lookup.reply, reply);
    await call;
    expect(remove).toHaveBeenCalledOnce();
    controller.abort();
  });
});

describe('the end of the connection', () => {
  test('what is under way has an unknown outcome, what is queued or comes later had none', async () => {
    const { calls, ask } = setUp(1);
    const underWay = ask('a');
    const queued = ask('b');
    calls.fail(new ConnectionLost('gone'));
    await expect(underWay).rejects.toMatchObject({ name: 'ConnectionLost', sent: true });
    await expect(queued).rejects.toMatchObject({ name: 'ConnectionLost', sent: false });
    await expect(ask('c')).rejects.toMatchObject({ name: 'ConnectionLost', sent: false });
  });
});

describe('a broken daemon', () => {
  test('a reply to nothing that was asked', () => {
    const { answer } = setUp();
    expect(() => answer(7, none, undefined)).toThrow(ProtocolError);
  });

  test('a second reply to the same call', async () => {
    const { answer, ask } = setUp();
    const call = ask('a');
    answer(0, lookup.reply, reply);
    await call;
    expect(() => answer(0, lookup.reply, reply)).toThrow(ProtocolError);
  });

  test('a reply that does not decode fails its call too', async () => {
    const { answer, ask } = setUp();
    const call = ask('a');
    expect(() => answer(0, text, 'nonsense')).toThrow(ProtocolError);
    await expect(call).rejects.toThrow(ProtocolError);
  });

  test('a refusal that does not decode fails its call at once', async () => {
    const { answer, ask } = setUp();
    const call = ask('a', { timeout: 10_000 });
    call.catch(() => {});
    expect(() => answer(0, text, 'nonsense', frameStatus.error)).toThrow(ProtocolError);
    expect(await settled(call)).toBe('rejected');
  });
});

test('errors show who asked, not who heard', async () => {
  const { answer, ask } = setUp();
  async function theCaller(): Promise<unknown> {
    return await ask('a');
  }
  const call = theCaller().catch((error: Error) => error);
  const unused = { subject: null, str1: null, str2: null, str3: null, int1: -1, int2: -1, network: null };
  answer(0, remoteError, { code: 42, domain: 10, message: 'no', level: 2, ...unused }, frameStatus.error);
  const error = (await call) as LibvirtError;
  expect(error).toBeInstanceOf(LibvirtError);
  expect(error.stack).toMatch(/^LibvirtError: domainLookupByName: no\n/);
  expect(error.stack).toContain('theCaller');
});
