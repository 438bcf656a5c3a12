import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundle } from '../../scripts/build.ts';

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
/** What may be in the bundle. */
const shipped = Object.entries(packages).filter(
  ([path, { dev, optional, devOptional }]) => path !== '' && !dev && !optional && !devOptional,
);

test('what is shipped is the same on every processor and system', () => {
  expect(shipped.length).toBeGreaterThan(50);
  expect(shipped.filter(([, { cpu, os, libc, gypfile }]) => cpu ?? os ?? libc ?? gypfile)).toEqual([]);
});

test('the bundle has every package that it needs, and MQTT.js’s codec once: src/mqtt/packets.ts sets it up', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-'));
  const packages = await bundle(folder, { 'cli/program': 'src/cli/program.ts' });
  rmSync(folder, { recursive: true });
  expect(packages.filter(path => path.endsWith('/mqtt-packet'))).toEqual(['node_modules/mqtt-packet']);
  expect(packages.filter(path => !shipped.some(([known]) => known === path))).toEqual([]);
});

test('what the bundle loads late is as Node’s own', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-'));
  const entry = join(folder, 'entry.ts');
  writeFileSync(
    entry,
    `import { execFile } from 'node:child_process';
     import { promisify } from 'node:util';
     import { constants, createGunzip, gunzipSync, gzip } from 'node:zlib';
     import { connect, rootCertificates } from 'node:tls';
     import assert from 'node:assert';
     const { stdout } = await promisify(execFile)('echo', ['out']);
     const text = gunzipSync(await promisify(gzip)('text', { level: constants.Z_BEST_SPEED })).toString();
     assert(createGunzip().readable);
     assert.equal(typeof connect, 'function');
     console.log(JSON.stringify([stdout, text, rootCertificates.length > 0]));`,
  );
  await bundle(folder, { built: entry });
  const said = execFileSync(process.execPath, [join(folder, 'built.js')], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  expect(JSON.parse(said)).toEqual(['out\n', 'text', true]);
});

test('no Node is shipped: what installs dsm2mqtt has one', () => {
  expect(shipped.filter(([path]) => path.includes('node-linux'))).toEqual([]);
  const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(optionalDependencies).toBeUndefined();
});
