/** PID 1 of Home Assistant's app: makes what the bridge needs of what the Supervisor knows, then is the bridge. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Refusal, writeConfiguration } from './configuration.ts';
import { knowHost, loginLine, ownKey, sshPlace } from './ssh.ts';

/** Milliseconds between two attempts to learn the host's key, while the host is off. */
const again = 10_000;

/** What is said again and again, as long as the host is off, is said once. */
const said = new Set<string>();
function say(text: string): void {
  if (!said.has(text)) process.stdout.write(`${text}\n`);
  said.add(text);
}

/** The kernel ends no PID 1 by a signal that it does not handle. */
const stop = () => process.exit(0);

async function main(): Promise<void> {
  process.once('SIGTERM', stop);
  const { uri, hostKey } = await writeConfiguration({
    dataDir: '/data',
    configDir: '/config',
    supervisor: 'http://supervisor',
    token: process.env['SUPERVISOR_TOKEN'] ?? '',
  });
  const place = sshPlace(uri);
  const folder = join(homedir(), '.ssh');
  if (place?.ownKey) {
    const line = loginLine(await ownKey(join(folder, 'id_ed25519')));
    say(
      `The app's key. Run this line once on ${place.host}, as ${place.user}, so that the app may reach libvirt there:`,
    );
    say(line);
  }
  if (place?.ownHosts)
    await learn(() => knowHost({ ...place, expected: hostKey, file: join(folder, 'known_hosts'), say }));
  process.off('SIGTERM', stop);
  process.argv.splice(2, Infinity, 'run');
  await import(new URL('../../bin/dsm2mqtt.js', import.meta.url).href);
}

/** Tries once, and then beside the bridge: that tells meanwhile that libvirt is not reached. */
async function learn(attempt: () => Promise<boolean>): Promise<void> {
  if (!(await attempt())) setTimeout(() => void learn(attempt), again).unref();
}

main().catch((error: Error) => {
  if (!(error instanceof Refusal)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
