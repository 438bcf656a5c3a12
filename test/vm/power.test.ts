/** One call, once, and what its failure means. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { commandWords } from '../../src/model/command.ts';
import { callPower } from '../../src/vm/power.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import type { FakeDomain } from '../fakes/libvirtd/domain.ts';

let daemon: FakeLibvirtd;
let domain: FakeDomain;
let client: Libvirt;
beforeEach(async () => {
  daemon = await FakeLibvirtd.listen();
  domain = daemon.define();
  client = await Libvirt.open({ uri: parseUri(daemon.uri), dial: daemon.dial });
});
afterEach(async () => {
  await client.close();
  await daemon.close();
});

test('start starts', async () => {
  expect(await callPower(client, domain.ref, 'start')).toBeNull();
  expect(domain.active).toBe(true);
});

test('shutdown presses the ACPI button once, and is content with that', async () => {
  domain.guest.powerButton = 'ignored';
  domain.start();
  expect(await callPower(client, domain.ref, 'shutdown')).toBeNull();
  expect(domain).toMatchObject({ active: true, presses: 1 });
  expect(daemon.callsOf('domainShutdownFlags')).toMatchObject([{ args: { flags: 1 } }]);
});

const procedureOf = { start: 'domainCreateWithFlags', shutdown: 'domainShutdownFlags' } as const;

describe.each(commandWords)('%s', word => {
  beforeEach(() => {
    if (word === 'shutdown') domain.start();
  });
  const call = () => callPower(client, domain.ref, word);
  const failure = (status: string, code: string) => ({
    type: 'call_failed',
    status,
    code,
    message: expect.stringMatching(/./),
  });

  test('without libvirt, or without a domain', async () => {
    expect(await callPower(null, domain.ref, word)).toEqual(failure('rejected', 'libvirt_unavailable'));
    expect(await callPower(client, null, word)).toEqual(failure('rejected', 'libvirt_unavailable'));
  });

  test('refused', async () => {
    using _refusal = daemon.refuse(procedureOf[word], 38, 'Resource busy');
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
      using _drop = daemon.drop(procedureOf[word], { effect });
      expect(await call()).toEqual(failure('failed', 'outcome_unknown'));
      expect(daemon.callsOf(procedureOf[word])).toHaveLength(1);
    },
  );

  test('the connection was lost before', async () => {
    await client.close();
    expect(await call()).toEqual(failure('rejected', 'libvirt_unavailable'));
    expect(daemon.callsOf(procedureOf[word])).toEqual([]);
  });
});
