/** Whose boot menu it is, by its titles. */
import { expect, test } from 'vitest';
import { otherLoader } from '../../../src/loader/plan/image.ts';

test.each([
  ['M-shell', ['Alpine Redpill Image Build', 'Tiny Core Friend DS3622xs+ 7.2.2-72806 Update 3 DDSML']],
  ['Arc', ['Arc Config Mode', 'Change Vesa to Text Output']],
  ['Arc', ['Arc DSM Mode', 'Arc Config Mode', 'Arc Update Mode', 'DSM Recovery Mode', 'DSM Reinstall Mode']],
  ['RR or ARPL', ['Boot DSM', 'Boot Recovery', 'Force re-install DSM', 'Configure loader', 'Enter BIOS Setup']],
  ['RR or ARPL', ['Configure loader', 'Start Memtest86+']],
  [null, ['RedPill DS918+ v7.1.1-42962 (USB, Verbose)', 'Tiny Core Image Build']],
  [null, ['Tiny Core Friend', 'Tiny Core Image Build']],
  [null, []],
])('%s', (name, menu) => {
  expect(otherLoader(menu)).toBe(name);
});
