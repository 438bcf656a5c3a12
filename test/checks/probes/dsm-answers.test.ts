import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readApiInfo, readPingpong, readState } from '../../../src/checks/probes/dsm-answers.ts';
import { anyUnit } from '../any-unit.ts';
import { apiInfo, pages, pingpong, state, stateWithoutDisk } from '../dsm-pages.ts';

test('where to log in', () => {
  expect(readApiInfo(apiInfo)).toEqual({ auth: 'entry.cgi' });
  expect(readApiInfo(apiInfo.replace('entry', 'auth'))).toEqual({ auth: 'auth.cgi' });
});

test.each([
  ['an error', '{"error":{"code":102},"success":false}'],
  ['no success', apiInfo.replace('true', 'false')],
  ['another API', apiInfo.replace('Auth', 'Info')],
  ['no path', apiInfo.replace('"entry.cgi"', 'null')],
  ['an empty path', apiInfo.replace('entry.cgi', '')],
  ['half of it', apiInfo.slice(0, -2)],
])('no API: %s', (_, body) => {
  expect(readApiInfo(body)).toBeNull();
});

test.each([
  [pingpong(true), { bootDone: true, hibernating: false }],
  [pingpong(false, true), { bootDone: false, hibernating: true }],
  ['{"boot_done":"yes","disk_hibernation":"no"}', { bootDone: true, hibernating: false }],
  ['{"boot_done":true}', { bootDone: true, hibernating: null }],
  ['{"disk_hibernation":1,"boot_done":"soon"}', { bootDone: null, hibernating: true }],
  ['{"success":true}', null],
  ['{"boot_done":true,"success":false}', null],
])('a pingpong: %s', (body, expected) => {
  expect(readPingpong(body)).toEqual(expected);
});

test.each(['not_install', 'sys_crash', 'sys_migrat'] as const)('a state: %s', status => {
  expect(readState(state(status))).toEqual({
    status,
    installing: false,
    hasDisk: true,
    diskLargeEnough: true,
    identity: {
      name: 'DiskStation',
      model: 'DS918+',
      version: '7.3.2-86009',
      update: null,
      address: '192.0.2.7',
      httpPort: null,
      httpsPort: 5001,
    },
  });
});

test('another state, at work', () => {
  expect(readState(state('upgrade', { is_installing: 'true' }))).toMatchObject({ status: 'other', installing: true });
});

test.each([
  ['model', { model: 7 }, { model: null }],
  ['model', { model: 'x'.repeat(65) }, { model: null }],
  ['name', { hostname: 'a\u001b[2Jb' }, { name: null }],
  ['name', { hostname: ' a' }, { name: null }],
  ['name', { hostname: 'Mein NAS' }, { name: 'Mein NAS' }],
  ['version', { build_ver: '' }, { version: null }],
  ['address', { ip_addr: '192.0.2.300' }, { address: null }],
  ['address', { ip_addr: '::1' }, { address: null }],
  ['port', { https_admin_port: 5443 }, { httpsPort: 5443 }],
  ['port', { https_admin_port: 1e300 }, { httpsPort: null }],
  ['port', { https_admin_port: '0x1389' }, { httpsPort: null }],
  ['port', { https_admin_port: '65536' }, { httpsPort: null }],
  ['port', { https_admin_port: 0 }, { httpsPort: null }],
])('a %s as %j', (_, given, expected) => {
  expect(readState(state('not_install', given))?.identity).toMatchObject(expected);
});

test('an installer that sees no disk says so, though it has no status', () => {
  expect(readState(stateWithoutDisk)).toMatchObject({
    ...{ status: 'other', installing: false, hasDisk: false },
    identity: { name: 'vm', model: 'DS918+', version: '7.1-42962', address: '10.99.0.20' },
  });
});

/** Whatever it lacks, or has in another form. */
test.each<[string, string, object]>([
  ['no status', state('', { status: undefined }), { status: 'other', hasDisk: true }],
  ['a status that is no text', state('', { status: 7 }), { status: 'other' }],
  ['spaces around its status', state(' sys_crash\n'), { status: 'sys_crash' }],
  ['line ends as they came', state('sys_crash\n').replace('\\n', '\n'), { status: 'sys_crash' }],
  ['no success', state('sys_crash').replace('"success":true', '"success":false'), { status: 'sys_crash' }],
  ['only a model', '{"data":{"dsinfo":{"model":"DS918+"}}}', { status: 'other', hasDisk: null, diskLargeEnough: null }],
  [
    'numbers as text',
    state('not_install', { is_installing: '1', disk_size_enough: '0' }),
    { installing: true, diskLargeEnough: false },
  ],
  ['truths as text', state('', {}, { has_disk: 'false' }), { hasDisk: false }],
  ['a count of disks alone', state('', { disk_count: '0' }, { has_disk: undefined }), { hasDisk: false }],
  ['a count of four', state('', {}, { has_disk: undefined }), { hasDisk: null }],
])('a state with %s', (_, body, expected) => {
  expect(readState(body)).toMatchObject(expected);
});

test('the serial number stays behind', () => {
  expect(JSON.stringify(readState(state('sys_crash')))).not.toContain('SERIAL');
});

const readers = [readApiInfo, readPingpong, readState];

test.each([
  ['nothing', ''],
  ['HTML', pages.dsm7],
  ['no object', '"boot_done"'],
  ['a list', '[{"boot_done":true}]'],
  ['null', 'null'],
  ['nested without end', '['.repeat(100_000)],
  ['nested with one', `${'{"data":'.repeat(50_000)}1${'}'.repeat(50_000)}`],
  ['a prototype', '{"__proto__":{"boot_done":true,"success":true,"data":{"dsinfo":{"status":"not_install"}}}}'],
  ['a prototype within', '{"success":true,"data":{"__proto__":{"dsinfo":{"status":"sys_crash"}}}}'],
  ['the wrong things', '{"success":true,"data":{"dsinfo":[],"SYNO.API.Auth":"entry.cgi"}}'],
])('none of them: %s', (_, body) => {
  expect(readers.map(read => read(body))).toEqual([null, null, null]);
});

test('anything at all is read or not, and never brings more than it should', () => {
  const likely = fc.constantFrom(apiInfo, pingpong(true), state('sys_crash'), stateWithoutDisk);
  const slipped = fc.tuple(likely, fc.nat(), fc.string({ maxLength: 2 })).map(([text, at, slip]) => {
    const cut = at % (text.length + 1);
    return text.slice(0, cut) + slip + text.slice(cut + 1);
  });
  fc.assert(
    fc.property(fc.oneof(slipped, fc.json(), fc.string({ unit: anyUnit })), body => {
      const said = readers.map(read => read(body));
      expect(JSON.stringify(said)).not.toMatch(/SERIAL|\\u00/);
    }),
    { numRuns: 5_000 },
  );
});
