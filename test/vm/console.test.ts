import { expect, test } from 'vitest';
import { serialLog } from '../../src/vm/console.ts';
import { child, parseDomain } from '../../src/vm/xml.ts';

test.each([
  ["<serial type='pty'><log file='/var/log/a.log' append='on'/></serial>", '/var/log/a.log'],
  ["<serial type='pty'/><console type='pty'><log file='/var/log/b.log'/></console>", '/var/log/b.log'],
  ["<serial type='pty'/><serial type='pty'><log file='/var/log/c.log'/></serial>", '/var/log/c.log'],
  ["<serial type='file'><source path='/var/log/d.log'/></serial>", '/var/log/d.log'],
  ["<serial type='pty'><source path='/dev/pts/3'/></serial>", null],
  ["<serial type='tcp'><source mode='bind' host='::' service='7'/></serial>", null],
  ['<serial/>', null],
  ['', null],
])('%s', (devices, file) => {
  const xml = `<domain><devices>${devices}</devices></domain>`;
  expect(serialLog(child(parseDomain(xml), 'devices'))).toBe(file);
});
