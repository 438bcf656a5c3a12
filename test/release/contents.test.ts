import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Package {
  dev?: boolean;
  optional?: boolean;
  devOptional?: boolean;
  cpu?: string[];
  os?: string[];
  libc?: string[];
  gypfile?: boolean;
}

const { packages }: { packages: Record<string, Package> } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
/** As `npm ci --omit=dev --omit=optional` installs them. */
const shipped = Object.entries(packages).filter(
  ([path, { dev, optional, devOptional }]) => path !== '' && !dev && !optional && !devOptional,
);

test('what is shipped is the same on every processor and system', () => {
  expect(shipped.length).toBeGreaterThan(50);
  expect(shipped.filter(([, { cpu, os, libc, gypfile }]) => cpu ?? os ?? libc ?? gypfile)).toEqual([]);
});

test('no Node is shipped: what installs dsm2mqtt has one', () => {
  expect(shipped.filter(([path]) => path.includes('node-linux'))).toEqual([]);
  const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(optionalDependencies).toBeUndefined();
});
