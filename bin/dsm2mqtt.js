#!/usr/bin/env node
const major = Number(process.versions.node.split('.')[0]);
const entry = new URL('../dist/cli/index.cjs', import.meta.url).href;
if (major < 24) {
  process.stderr.write(`dsm2mqtt needs Node 24 or newer; this is Node ${process.versions.node}.\n`);
  process.exitCode = 2;
} else {
  // Not a static import: an old Node would fail on it before it could be told.
  import(entry).catch(error => {
    if (error.url !== entry) throw error;
    process.stderr.write('dsm2mqtt is not built yet: npm run build\n');
    process.exitCode = 2;
  });
}
