#!/usr/bin/env node
// An old Node has to be able to read this far, so it is told here and not by a syntax error.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(`dsm2mqtt needs Node 24 or newer; this is Node ${process.versions.node}.\n`);
  process.exit(2);
}
void import('../dist/cli/index.js');
