/** Opening and closing; what an open client does is the contract suite's business. */

import { describe, expect, test, vi } from 'vitest';
import { Libvirt, type LibvirtOptions } from '../../src/libvirt/client.ts';
import { ConnectError, ConnectionLost, LibvirtError } from '../../src/libvirt/errors.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { eventually, slow } from '../eventually.ts';
import { FakeLibvirtd, type ListenOptions } from '../fakes/libvirtd/daemon.ts';

async function attempt(listen: ListenOptions, options: Partial<LibvirtOptions> = {}) {
  const daemon = await FakeLibvirtd.listen(listen);
  const open = () => Libvirt.open({ uri: parseUri(daemon.uri), ...options });
  return { daemon, open, [Symbol.asyncDispose]: () => daemon.close() };
}

test('the handshake: AUTH_LIST first, keepalive before OPEN, then the events’ kind', async () => {
  await using it = await attempt({});
  await using _client = await it.open();
  expect(it.daemon.calls.map(({ name, args }) => [name, args])).toEqual([
    ['authList', undefined],
    ['connectSupportsFeature', { feature: 10 }],
    ['connectOpen', { name: 'qemu:///system', flags: 0 }],
    ['connectSupportsFeature', { feature: 14 }],
  ]);
});

describe('authentication', () => {
  test('polkit that grants', async () => {
    await using it = await attempt({ auth: 'polkit' });
    await using client = await it.open();
    expect(await client.domains()).toEqual([]);
    expect(it.daemon.callsOf('authPolkit').length).toBe(1);
  });

  test('polkit that refuses: libvirt’s own words, and no connection is left', async () => {
    await using it = await attempt({ auth: 'polkit', polkit: 'refuses' });
    await expect(it.open()).rejects.toMatchObject({ name: 'LibvirtError', code: 94 });
    await eventually(() => expect(it.daemon.sessions.size).toBe(0));
  });

  test('SASL is not spoken: libvirt’s setting that asks for it is named', async () => {
    await using it = await attempt({ auth: 'sasl' });
    await expect(it.open()).rejects.toThrow(/SASL .*: set auth_unix_rw = "polkit" in its libvirtd\.conf/);
    await expect(it.open()).rejects.toBeInstanceOf(ConnectError);
  });
});

describe('it does not open', () => {
  test('where the daemon is older than event callbacks', async () => {
    await using it = await attempt({ eventCallbacks: false });
    await expect(it.open()).rejects.toThrow(/older than 1\.3\.3/);
  });

  test('where the daemon refuses the URI', async () => {
    await using it = await attempt({});
    it.daemon.refuse('connectOpen', 38, 'no connection driver available');
    await expect(it.open()).rejects.toBeInstanceOf(LibvirtError);
    await eventually(() => expect(it.daemon.sessions.size).toBe(0));
  });

  test('where the daemon hangs up on the handshake', async () => {
    await using it = await attempt({});
    it.daemon.drop('connectOpen');
    await expect(it.open()).rejects.toBeInstanceOf(ConnectionLost);
  });

  test('where nobody answers in time', async () => {
    await using it = await attempt({}, { openTimeout: 20 });
    it.daemon.freeze();
    await expect(it.open()).rejects.toThrow(/did not answer within 20 ms/);
    await expect(it.open()).rejects.toBeInstanceOf(ConnectError);
  });

  test('where the caller’s own time is over first', async () => {
    await using it = await attempt({}, { signal: AbortSignal.timeout(20) });
    it.daemon.freeze();
    const opening = expect(it.open());
    await opening.rejects.toThrow(new ConnectError('libvirt did not answer in time'));
  });

  test('where dialling takes too long', async () => {
    const dial = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    await using it = await attempt({}, { dial, openTimeout: 20 });
    await expect(it.open()).rejects.toBeInstanceOf(ConnectError);
  });

  test('where it is told to stop meanwhile', async () => {
    const controller = new AbortController();
    await using it = await attempt({}, { signal: controller.signal });
    it.daemon.hang('connectOpen');
    const opening = expect(it.open()).rejects.toThrow('stop');
    await it.daemon.called('connectOpen');
    controller.abort(new Error('stop'));
    await opening;
    await eventually(() => expect(it.daemon.sessions.size).toBe(0));
  });
});

test('closing ends the session, tells no cause, and can be done twice', async () => {
  await using it = await attempt({});
  const client = await it.open();
  const causes: (Error | null)[] = [];
  client.onClosed(cause => causes.push(cause));
  await client.close();
  await client.close();
  await eventually(() => expect(it.daemon.sessions.size).toBe(0));
  expect(causes).toEqual([null]);
  await expect(client.domains()).rejects.toMatchObject({ name: 'ConnectionLost', sent: false });
});

test('closing takes back what has not left: nothing is done after it', async () => {
  await using it = await attempt({});
  const domain = it.daemon.define();
  domain.start();
  const client = await it.open();
  using stuck = it.daemon.hang('domainIsPersistent');
  const waiting = [1, 2, 3, 4].map(() => client.persistent(domain.ref).catch((error: Error) => error));
  await it.daemon.called('domainIsPersistent', 4);
  const cut = client.destroy(domain.ref, 1).catch((error: Error) => error);
  const closed = client.close();
  stuck.release();
  await closed;
  expect(await cut).toMatchObject({ name: 'ConnectionLost', sent: false });
  await Promise.all(waiting);
  expect(it.daemon.callsOf('domainDestroyFlags')).toEqual([]);
  expect(domain.active).toBe(true);
});

test('closing does not wait for a daemon that is stuck', async () => {
  await using it = await attempt({});
  const client = await it.open();
  it.daemon.freeze();
  const before = performance.now();
  await client.close();
  expect(performance.now() - before).toBeLessThan(slow);
});

test('the daemon’s pings are answered', async () => {
  await using it = await attempt({ keepalive: { interval: 10, count: 2 } });
  await using client = await it.open();
  const closed = vi.fn();
  client.onClosed(closed);
  const [session] = it.daemon.sessions;
  await eventually(() => expect(session?.pongs).toBeGreaterThan(5));
  expect(closed).not.toHaveBeenCalled();
});

test('subscribing survives refusals, not a lost connection', async () => {
  await using it = await attempt({ maxEventId: 0 });
  const client = await it.open();
  expect(await client.subscribe(['lifecycle', 'reboot', 'deviceAdded'])).toEqual(['reboot', 'deviceAdded']);
  it.daemon.drop('domainEventRegister');
  await expect(client.subscribe(['reboot'])).rejects.toBeInstanceOf(ConnectionLost);
});
