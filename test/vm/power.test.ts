/** One call, once, and what its failure means. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { callPower } from '../../src/vm/power.ts';
import { opened } from '../fakes/libvirtd/opened.ts';

let it: Awaited<ReturnType<typeof opened>>;
let { daemon, domain, client } = {} as typeof it;
beforeEach(async () => {
  it = await opened();
  ({ daemon, domain, client } = it);
});
afterEach(() => it[Symbol.asyncDispose]());

test('start starts', async () => {
  expect(await callPower(client, domain.ref, 'start', { method: 'acpi' })).toBeNull();
  expect(domain.active).toBe(true);
});

test('a press presses the ACPI button once, and is content with that', async () => {
  domain.guest.powerButton = 'ignored';
  domain.start();
  expect(await callPower(client, domain.ref, 'press', { method: 'acpi' })).toBeNull();
  expect(domain).toMatchObject({ active: true, presses: 1 });
  expect(daemon.callsOf('domainShutdownFlags')).toMatchObject([{ args: { flags: 1 } }]);
});

test('power is cut gracefully: QEMU may flush its caches', async () => {
  domain.start();
  expect(await callPower(client, domain.ref, 'cut_power', { method: 'acpi' })).toBeNull();
  expect(domain.active).toBe(false);
  expect(daemon.callsOf('domainDestroyFlags')).toMatchObject([{ args: { flags: 1 } }]);
});

describe('the method', () => {
  const flags = () => daemon.callsOf('domainShutdownFlags').map(({ args }) => args.flags);
  beforeEach(() => {
    domain.guest.powerButton = 'ignored';
    domain.start();
  });

  test('agent: the agent alone', async () => {
    domain.guest.agent = 'none';
    expect(await callPower(client, domain.ref, 'press', { method: 'agent' })).toMatchObject({ code: 'libvirt_error' });
    expect(flags()).toEqual([2]);
  });

  test.each(['none', 'silent'] as const)('auto: the button where the agent is %s', async agent => {
    domain.guest.agent = agent;
    expect(await callPower(client, domain.ref, 'press', { method: 'auto' })).toBeNull();
    expect(flags()).toEqual([2, 1]);
    expect(domain.presses).toBe(1);
  });

  test('auto: the agent that answers, and no button', async () => {
    domain.guest.agent = 'answers';
    expect(await callPower(client, domain.ref, 'press', { method: 'auto' })).toBeNull();
    expect(flags()).toEqual([2]);
    expect(domain.presses).toBe(0);
  });

  test('auto: after a lost connection nobody knows, and nobody presses', async () => {
    using _drop = daemon.drop('domainShutdownFlags');
    expect(await callPower(client, domain.ref, 'press', { method: 'auto' })).toMatchObject({ code: 'outcome_unknown' });
    expect(flags()).toEqual([2]);
  });
});

const rows = [
  ['start', 'domainCreateWithFlags'],
  ['wake_up', 'domainPmWakeup'],
  ['resume', 'domainResume'],
  ['suspend', 'domainSuspend'],
  ['reset', 'domainReset'],
  ['press', 'domainShutdownFlags'],
  ['guest_reboot', 'domainReboot'],
  ['cut_power', 'domainDestroyFlags'],
] as const;

describe.each(rows)('%s', (name, procedure) => {
  beforeEach(() => {
    if (name !== 'start') domain.start();
    if (name === 'resume') domain.pause();
    if (name === 'wake_up') domain.suspendToMemory();
  });
  const call = () => callPower(client, domain.ref, name, { method: 'acpi' });
  const failure = (kind: string, code: string) => ({ kind, code, message: expect.stringMatching(/./) });

  test('without libvirt, or without a domain', async () => {
    expect(await callPower(null, domain.ref, name, { method: 'acpi' })).toEqual(
      failure('rejected', 'libvirt_unavailable'),
    );
    expect(await callPower(client, null, name, { method: 'acpi' })).toEqual(failure('rejected', 'libvirt_unavailable'));
  });

  test('one call', async () => {
    expect(await call()).toBeNull();
    expect(daemon.callsOf(procedure)).toHaveLength(1);
  });

  test('refused', async () => {
    using _refusal = daemon.refuse(procedure, 38, 'Resource busy');
    expect(await call()).toEqual({
      ...failure('failed', 'libvirt_error'),
      message: expect.stringContaining('Resource busy'),
    });
  });

  test('forbidden', async () => {
    await client.close();
    client = await Libvirt.open({ uri: parseUri(daemon.uri), dial: daemon.dial, readOnly: true });
    expect(await call()).toEqual(failure('rejected', 'read_only'));
  });

  test.each([true, false])(
    'the connection is lost in the middle: nobody knows, and nobody tries again',
    async effect => {
      using _drop = daemon.drop(procedure, { effect });
      expect(await call()).toEqual(failure('failed', 'outcome_unknown'));
      expect(daemon.callsOf(procedure)).toHaveLength(1);
    },
  );

  test('the connection was lost before', async () => {
    await client.close();
    expect(await call()).toEqual(failure('rejected', 'libvirt_unavailable'));
    expect(daemon.callsOf(procedure)).toEqual([]);
  });
});
