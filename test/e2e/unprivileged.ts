import { afterAll, beforeAll } from 'vitest';
import { accessControl, configureLibvirtd, type Polkit, startPolkit, userOf } from '../lab/polkit.ts';

/** Null: the product runs as root. */
export const unprivileged: { polkit: Polkit | null } = { polkit: null };

if (process.env['VITEST_UNPRIVILEGED']) {
  const undo = new AsyncDisposableStack();

  beforeAll(async () => {
    userOf('bridge');
    const polkit = await startPolkit();
    undo.use(await configureLibvirtd(accessControl));
    // It ends first: a libvirtd that is just starting does not survive the end of D-Bus.
    undo.use(polkit);
    unprivileged.polkit = polkit;
  });

  afterAll(() => undo.disposeAsync());
}
