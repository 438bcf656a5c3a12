#!/usr/bin/env node
import { existsSync } from 'node:fs';

const major = Number(process.versions.node.split('.')[0]);
const entry = new URL('../dist/cli/index.js', import.meta.url);
if (major < 24) {
  process.stderr.write(`dsm2mqtt needs Node 24 or newer; this is Node ${process.versions.node}.\n`);
  process.exitCode = 2;
} else if (existsSync(entry)) {
  // Not a static import: an old Node would fail on it before it could be told.
  void import(entry.href);
} else {
  process.stderr.write('dsm2mqtt is not built yet: npm run build\n');
  process.exitCode = 2;
}
