/**
 * With `VITEST_UNPRIVILEGED` the product runs as a user who may do nothing but what libvirt permits by the rules that
 * `dsm2mqtt polkit` makes of its configuration.
 */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, type TestContext } from 'vitest';
import { accessControl, asOwner, configureLibvirtd, type Polkit, startPolkit, userOf } from '../lab/polkit.ts';

export const isUnprivileged = Boolean(process.env['VITEST_UNPRIVILEGED']);
export const user = 'bridge';

/** By the name of the host; the null one is this machine's, and stands in for those that are not there. */
export const polkits = new Map<string | null, Polkit>();

if (isUnprivileged) {
  const undo = new AsyncDisposableStack();

  beforeAll(async () => {
    userOf(user);
    const polkit = await startPolkit();
    undo.use(await configureLibvirtd(accessControl));
    // It ends first: a libvirtd that is just starting does not survive the end of D-Bus.
    undo.use(polkit);
    polkits.set(null, polkit);
  });

  afterAll(() => undo.disposeAsync());
}

/** Skips the test for a user who has no rights. `why`: what by design nobody but root can have. */
export function needsRoot({ skip }: Pick<TestContext, 'skip'>, why: string): void {
  skip(isUnprivileged, `needs root: ${why}`);
}

/** Gives the user what the configuration needs, and no more. `rulesFor`: prints the rules, null if there are none. */
export async function permit(
  { libvirt, data_dir }: Record<string, unknown>,
  rulesFor: (options: readonly string[]) => Promise<string | null>,
): Promise<readonly string[]> {
  const hosts: (string | null)[] = Array.isArray(libvirt) ? libvirt.map(({ name }) => name) : [null];
  for (const host of hosts) {
    const rules = await rulesFor([...(host === null ? [] : ['--host', host]), '--user', user, '--define']);
    const polkit = polkits.get(host) ?? polkits.get(null);
    if (rules !== null) await polkit?.rules('40-dsm2mqtt.rules', rules);
  }
  if (typeof data_dir === 'string') {
    await mkdir(data_dir, { recursive: true });
    execFileSync('chmod', ['a+x', dirname(data_dir)]);
    // It may be read-only by now, and his already.
    execFileSync('find', [data_dir, '!', '-user', user, '-exec', 'chown', '-h', user, '{}', '+']);
  }
  return asOwner(user);
}
