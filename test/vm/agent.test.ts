import { expect, test } from 'vitest';
import { askAgent } from '../../src/vm/agent.ts';
import { opened } from '../fakes/libvirtd/opened.ts';

test.each([
  ['answers', 'ok'],
  ['none', 'missing'],
  ['silent', 'silent'],
] as const)('an agent: %s', async (agent, answer) => {
  await using it = await opened({});
  it.domain.start();
  it.domain.guest.agent = agent;
  expect(await askAgent(it.client, it.domain.ref, { timeout: 5_000 })).toBe(answer);
});

test('of a guest that is off, or without libvirt, nothing is known', async () => {
  await using it = await opened({});
  expect(await askAgent(it.client, it.domain.ref, { timeout: 5_000 })).toBe('not_applicable');
  expect(await askAgent(null, it.domain.ref, { timeout: 5_000 })).toBe('not_applicable');
});

test('while libvirt waits for an agent that hangs, it is silent', async () => {
  await using it = await opened({});
  it.domain.start();
  using _stuck = it.daemon.hang('domainInterfaceAddresses');
  expect(await askAgent(it.client, it.domain.ref, { timeout: 50 })).toBe('silent');
});
