/** In a process of its own, without a test runner's module loader. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { startSshd } from '../fakes/sshd.ts';

test.each([
  ['closed', 'await session.close()'],
  ['closed while a command runs', 'runCommand(session, "sleep 60", options).catch(() => {}); await session.close()'],
  [
    'after a command was given up',
    'await runCommand(session, "sleep 60", { ...options, silence: 100 }).catch(() => {}); await session.close()',
  ],
])('nothing keeps it alive: %s', async (_, last) => {
  await using server = await startSshd();
  const { host, port, fingerprint } = server;
  const options = {
    host,
    port,
    user: 'tc',
    password: 'secret',
    within: 9_000,
    hostKeys: [fingerprint],
  };
  const script = `
    const { connect } = await import(${JSON.stringify(new URL('../../src/ssh/connect.ts', import.meta.url).href)});
    const { runCommand } = await import(${JSON.stringify(new URL('../../src/ssh/command.ts', import.meta.url).href)});
    const signal = new AbortController().signal;
    const options = { silence: 50_000, deadline: 60_000, signal };
    const session = await connect(${JSON.stringify(options)}, signal);
    const { tail } = await runCommand(session, 'echo done', options);
    ${last};
    process.on('exit', () => process.stdout.write(tail + Math.round(performance.now() - began)));
    const began = performance.now();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
  let said = '';
  child.stdout.on('data', text => {
    said += text;
  });
  child.stderr.on('data', text => {
    said += text;
  });
  const [status] = await once(child, 'close');
  expect({ said, status }).toEqual({ said: expect.stringMatching(/^done\n\d{1,3}$/), status: 0 });
});
