import { expect, test } from 'vitest';
import { ssh } from '../../../src/checks/probes/ssh.ts';
import { address, closedPort, startRaw } from '../http/peer.ts';

const probe = (port: number, timeout = 5_000) =>
  ssh({ address, port }, { timeout, signal: new AbortController().signal });

test('an SSH server greets, perhaps after other lines', async () => {
  await using peer = await startRaw(socket => socket.write('Welcome\r\nSSH-2.0-OpenSSH_9.2\r\n'));
  const explanation = `SSH answers on port ${peer.port}.`;
  expect(await probe(peer.port)).toEqual({ kind: 'ok', ms: expect.any(Number), explanation });
  await peer.quiet();
});

test.each([
  ['mute', '', 'says nothing'],
  ['other', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'what answers is no SSH server'],
  ['other', 'x'.repeat(100_000), 'what answers is no SSH server'],
] as const)('%s: %.20s', async (kind, said, why) => {
  await using peer = await startRaw(socket => socket.write(said));
  const explanation = `Port ${peer.port} accepts connections, but ${why}.`;
  expect(await probe(peer.port, 100)).toEqual({ kind, ms: null, explanation });
  await peer.quiet();
});

test('a port that nobody listens on', async () => {
  expect(await probe(await closedPort())).toMatchObject({ kind: 'refused', ms: null });
});
