import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { serials } from '../fakes/dsm/findhostd.ts';
import { type ScenarioName, scenarioNames } from '../fakes/dsm/scenario.ts';
import { Ear, exchange, handshake, query, refusal, say, touch } from './dsm-wire.ts';

/** What a DSM says on the wire in each of its phases, be it the lab's guest or the fake. */

export interface DsmSubject {
  name: string;
  address: string;
  mac: string;
  /** Where one of DSM's ports is. */
  port(port: number): number;
  serve(scenario: ScenarioName): Promise<void>;
  requests(): Promise<readonly string[]>;
  /** Our address in its network. */
  own: string;
  /** Where its answers of discovery arrive: `own`, and everybody's address. */
  ears: readonly string[];
  /** It speaks TLS on 5001. */
  secure: boolean;
}

interface Expected {
  open: readonly number[];
  /** Of port 5000: what is asked for, its status, and something in it. */
  pages?: readonly (readonly [target: string, status: number, mark: RegExp])[];
  /** Packet type and state of discovery's answer; null: none. */
  discovery: readonly [type: number, state: number] | null;
}

const ports = [22, 445, 5000, 5001, 7681];
const apiInfo = '/webapi/query.cgi?api=SYNO.API.Info&version=1&method=query&query=SYNO.API.Auth';
const pingpong = '/webman/pingpong.cgi?action=cors';
const state = '/webman/get_state.cgi';

const dsm: Expected['pages'] = [
  ['/', 200, /<title>diskstation&nbsp;-&nbsp;Synology&nbsp;NAS<\/title>/],
  [apiInfo, 200, /^\{"data":\{"SYNO\.API\.Auth":\{.*"path":"entry\.cgi"\}\},"success":true\}\s*$/],
  [apiInfo.replace('query.cgi', 'entry.cgi'), 200, /"SYNO\.API\.Auth"/],
  [state, 404, /<html>/],
  ['/../web/index', 404, /<html>/],
];
const awake: Expected['pages'] = [
  ...dsm,
  [pingpong, 200, /"boot_done":true,"disk_hibernation":false,.*"success":true/],
];
const installer: Expected['pages'] = [
  ['/', 200, /<title>Web Assistant<\/title>/],
  [pingpong, 404, /<html>/],
  [apiInfo, 404, /<html>/],
];
const waiting: Expected['pages'] = [...installer, ['/webman/get_install_progress.cgi', 200, /^$/]];

const expected: Readonly<Record<ScenarioName, Expected>> = {
  up: { open: [445, 5000, 5001], pages: awake, discovery: [2, 1] },
  starting: { open: [445, 5000, 5001], pages: [...dsm, [pingpong, 200, /"boot_done":false/]], discovery: [2, 7] },
  hibernating: {
    open: [445, 5000, 5001],
    pages: [...dsm, [pingpong, 200, /"disk_hibernation":true/]],
    discovery: [2, 1],
  },
  'port-closed': { open: [5000, 5001], pages: awake, discovery: [2, 1] },
  'web-dead': { open: [445, 5000, 5001], discovery: [2, 1] },
  portal: {
    open: [445, 5000, 5001],
    pages: [
      ['/', 302, /302 Found/],
      [apiInfo, 302, /302 Found/],
    ],
    discovery: [2, 1],
  },
  'other-page': {
    open: [5000],
    pages: [
      ['/', 200, /<title>Frigate<\/title>/],
      [apiInfo, 404, /Not Found/],
      [state, 404, /Not Found/],
    ],
    discovery: null,
  },
  booting: { open: [], discovery: [2, 5] },
  'silent-boot': { open: [], discovery: null },
  updating: { open: [], discovery: [2, 3] },
  installer: {
    open: [5000],
    pages: [...waiting, [state, 200, /"is_installing":false.*"status":"not_install"/]],
    discovery: [6, 2],
  },
  'no-disk': {
    open: [5000],
    pages: [...waiting, [state, 200, /"has_disk": false,.*"status": ""/s]],
    discovery: [6, 2],
  },
  installing: {
    open: [5000],
    pages: [
      ...installer,
      [state, 200, /"is_installing":true/],
      ['/webman/get_install_progress.cgi', 200, /"stage":"install","progress":"37"/],
    ],
    discovery: [6, 13],
  },
  migratable: { open: [5000], pages: [...waiting, [state, 200, /"status":"sys_migrat"/]], discovery: [6, 14] },
  recoverable: { open: [5000], pages: [...waiting, [state, 200, /"status":"sys_crash"/]], discovery: [16, 11] },
  loader: { open: [22, 7681], discovery: null },
};

export function dsmContract(subject: DsmSubject): void {
  const { address, own, ears } = subject;
  const get = (target: string, port = 5000) => exchange(address, subject.port(port), target);
  const ask = (packet = query) => say(packet, own, { address, port: subject.port(9999) });

  describe(subject.name, () => {
    describe.each(scenarioNames)('%s', name => {
      const { open, pages = [], discovery } = expected[name];
      beforeAll(() => subject.serve(name));

      test('opens its ports, and refuses the others', async () => {
        const found = await Promise.all(ports.map(port => touch(address, subject.port(port))));
        expect(found).toEqual(ports.map(port => (open.includes(port) ? 'open' : 'refused')));
      });

      if (pages.length > 0)
        test('answers for its pages', async () => {
          for (const [target, status, mark] of pages) {
            const answer = await get(target);
            expect(answer.status, target).toBe(status);
            expect(answer.body).toMatch(mark);
            expect(answer.headers).toMatch(/^connection: close$/im);
            expect(answer.headers).toMatch(new RegExp(`^content-length: ${answer.body.length}$`, 'im'));
          }
        });

      if (discovery === null) test('is not to be discovered', () => refusal(address, subject.port(9999)));
      else
        test('is discovered in its state', async () => {
          for (const at of ears) {
            await using ear = await Ear.open(at, subject.port(9999));
            await ask();
            const { from, fields } = await ear.heard.take();
            expect(from).toEqual({ address, port: subject.port(1234) });
            const number = (id: number) => fields.get(id)?.readUInt32LE();
            const text = (id: number) => fields.get(id)?.toString();
            expect([number(0x01), number(0xa7)]).toEqual(discovery);
            expect(text(0x11)?.toLowerCase()).toBe('diskstation');
            expect([text(0x78), text(0x77), number(0x49)]).toEqual(['DS918+', '7.1.1', 42_962]);
            expect([number(0x75), number(0x76)]).toEqual([5000, 5001]);
            expect([text(0x19), [...(fields.get(0x12) ?? [])].join('.')]).toEqual([subject.mac, address]);
            expect(text(0xc0)).toBe(serials[0]);
          }
        });
    });

    describe('in whatever phase', () => {
      afterEach(() => subject.serve('up'));

      test('the loader greets as SSH does, and has a terminal for browsers', async () => {
        await subject.serve('loader');
        expect((await exchange(address, subject.port(22), null)).raw).toMatch(/^SSH-2\.0-OpenSSH_\S+\r\n$/);
        const terminal = await get('/', 7681);
        expect(terminal.body).toContain('<title>ttyd - Terminal</title>');
        expect(terminal.headers).toMatch(/^server: ttyd\//m);
      });

      test('who is mute accepts and says nothing', async () => {
        await subject.serve('web-dead');
        const answers = [5000, 5001, 445].map(port => get('/', port));
        for (const port of [5000, 5001, 445]) expect(await touch(address, subject.port(port))).toBe('open');
        // The next scenario ends them, as a reboot would.
        await subject.serve('up');
        for (const { raw } of await Promise.all(answers)) expect(raw).toBe('');
        expect((await get('/')).status).toBe(200);
      });

      test('5001 wants TLS', async () => {
        await subject.serve('up');
        const plain = await get('/', 5001);
        expect([plain.status, plain.body]).toEqual([400, expect.stringContaining('plain HTTP request')]);
        const secure = await handshake(address, subject.port(5001), '/');
        expect(secure).toMatch(subject.secure ? /<title>diskstation&nbsp;/ : /^ERR_SSL_.*HANDSHAKE_FAILURE$/);
      });

      test('what it is asked is counted, from the beginning of a scenario', async () => {
        await subject.serve('hibernating');
        expect(await subject.requests()).toEqual([]);
        await touch(address, subject.port(445));
        await get(pingpong);
        await get('/a%20page?b=c');
        expect(await subject.requests()).toEqual([`5000 GET ${pingpong}`, '5000 GET /a%20page?b=c']);
        await subject.serve('hibernating');
        expect(await subject.requests()).toEqual([]);
      });

      test('discovery answers whole questions only', async () => {
        await subject.serve('up');
        await using ear = await Ear.open(own, subject.port(9999));
        const wrong = [
          Buffer.from('hello'),
          Buffer.concat([Buffer.from('1234556653594e4f', 'hex'), query.subarray(8)]),
          Buffer.from(query.toString('hex').replace('010401000000', '010402000000'), 'hex'),
          Buffer.from(query.toString('hex').replace('a40400000201', ''), 'hex'),
        ];
        for (const packet of [...wrong, query]) await ask(packet);
        await ear.heard.take();
        expect(ear.heard.all).toHaveLength(1);
        expect(await subject.requests()).toEqual(['9999 query']);
      });

      test('a scenario that there is not is refused, and the one before is kept', async () => {
        await subject.serve('up');
        await expect(subject.serve('nonsense' as ScenarioName)).rejects.toThrow(
          /no scenario 'nonsense'.*silent-boot/is,
        );
        expect((await get('/')).status).toBe(200);
      });
    });
  });
}
