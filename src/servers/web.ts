import type { VmKey } from '../model/snapshot.ts';
import type { Logger } from '../util/logger.ts';
import { orNull } from '../util/or-null.ts';
import { type Door, nobody, type Refused, type Visitor } from './door.ts';
import type { Live } from './live.ts';
import { type Asked, type Reply, type Route, Server } from './server.ts';

/** The page, and what it asks for: see docs/page.md. Paths are relative to where it is, as below Home Assistant's. */

export interface WebOptions {
  host: string;
  port: number;
  door: Door;
  live: Live;
  known: (vm: VmKey) => boolean;
  /** Rejects when the page was not built. */
  file: (name: PageFile) => Promise<Content>;
  ask: Asks;
  /** As the control socket's. */
  submit: (vm: VmKey, payload: string, reply: (response: object, final: boolean) => void) => void;
  follow: (vm: VmKey, follower: (lines: readonly string[] | null) => void) => (() => void) | null;
  logger: Logger;
}

/** Each rejects with an error for the visitor if it cannot be told. */
export interface Asks {
  samples: (vm: VmKey, hours: number) => Promise<object>;
  record: (vm: VmKey, days: number) => Promise<object>;
  /** PNG. */
  screen: (vm: VmKey) => Promise<Buffer>;
  plan: (vm: VmKey) => Promise<object>;
  /** JSON. */
  dump: () => Promise<string>;
}

export interface Content {
  type: string;
  bytes: Buffer;
  gzip: Buffer;
  /** Changes with the bytes. */
  tag: string;
}

const pageFiles = { '/': 'index.html', '/app.js': 'app.js', '/app.css': 'app.css' } as const;
export type PageFile = (typeof pageFiles)[keyof typeof pageFiles];

/** Pages that are open at once, and what they ask for. */
const mostClients = 300;
/** Bytes: a page of a hundred VMs gets as many at once. */
const mostUnread = 2 ** 20;
/** The visitor has to type the VM's key. */
const typed: ReadonlySet<unknown> = new Set(['force_off', 'rebuild', 'rollback']);

const policy = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:"],
  ...["connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'self'"],
].join('; ');

const headers = {
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** For whoever is let in. */
type Guarded = (request: Asked & { vm: VmKey }, reply: Reply, visitor: Visitor) => void;

export function webServer(options: WebOptions): Server {
  const { host, port, door, live, known, ask, logger } = options;
  let guests = 0;
  const guard =
    (route: Guarded, acts = false): Route =>
    (request, reply) => {
      const visitor = door.enter(request);
      const refused = 'status' in visitor ? visitor : acts ? door.mayAct(request) : null;
      if (refused) refuse(reply, refused);
      else if (guests >= mostClients) reply({ message: 'too many pages are open' }, { status: 503 });
      else {
        guests += 1;
        request.gone(() => {
          guests -= 1;
        });
        route({ ...request, vm: request.query.get('vm') ?? '' }, reply, visitor as Visitor);
      }
    };
  const ofVm = (route: Guarded, acts = false) =>
    guard((request, reply, visitor) => {
      if (known(request.vm)) route(request, reply, visitor);
      else reply({ message: `there is no VM '${request.vm}' here` }, { status: 404 });
    }, acts);
  /** One of the numbers that it may be, which is the first unless another is asked for. */
  const number = ({ query }: Asked, name: string, of: readonly [number, ...number[]]) =>
    of.find(one => String(one) === query.get(name)) ?? of[0];
  return new Server({
    ...{ at: { host, port }, headers, mostSilent: mostClients, mostUnread, farewell: 30_000 },
    routes: {
      ...Object.fromEntries(Object.entries(pageFiles).map(([path, name]) => [`GET ${path}`, asset(options, name)])),
      'POST /api/login': (request, reply) => login(door, request, reply),
      'GET /api/live': guard(({ gone }, reply, { name }) => {
        const user = name === nobody ? null : name;
        gone(live.open(messages => reply(streamed(...messages), stream), { user }));
      }),
      'GET /api/samples': ofVm((request, reply) =>
        answer(reply, ask.samples(request.vm, number(request, 'hours', [1, 24]))),
      ),
      'GET /api/record': ofVm((request, reply) =>
        answer(reply, ask.record(request.vm, number(request, 'days', [1, 7, 30]))),
      ),
      'GET /api/screen': ofVm(({ vm }, reply) => answer(reply, ask.screen(vm), { 'content-type': 'image/png' })),
      'GET /api/plan': ofVm(({ vm }, reply) => answer(reply, ask.plan(vm))),
      'GET /api/dump': guard((_, reply) => answer(reply, ask.dump(), saved)),
      'GET /api/console': ofVm(({ vm, gone }, reply) => follow(options, vm, reply, gone)),
      'POST /api/command': ofVm((request, reply, visitor) => command(options, request, reply, visitor), true),
    },
    unavailable: reason =>
      logger.warn({ event: 'web.unavailable', reason }, 'no page: give `web.listen` another port, or `off`'),
  });
}

/** nginx would keep it back until there is more of it. */
const stream = { final: false, headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' } };
/** Milliseconds after which a stream tells that it is there. */
const heartbeat = 15_000;

/** Messages of server-sent events (html.spec.whatwg.org, 9.2), in one write; none: a comment. */
function streamed(...messages: readonly object[]): string {
  return messages.map(message => `data: ${JSON.stringify(message)}\n\n`).join('') || ':\n\n';
}

function refuse(reply: Reply, { status, ...refused }: Refused): void {
  reply(refused, { status });
}

function asset({ file }: WebOptions, name: PageFile): Route {
  return ({ header }, reply) => {
    const send = ({ type, bytes, gzip, tag }: Content) => {
      const common = { 'content-type': type, etag: tag, 'cache-control': 'no-cache', vary: 'accept-encoding' };
      if (header('if-none-match') === tag) reply('', { status: 304, headers: common });
      else if (/\bgzip\b/.test(header('accept-encoding')))
        reply(gzip, { headers: { ...common, 'content-encoding': 'gzip' } });
      else reply(bytes, { headers: common });
    };
    file(name).then(send, () => reply('The page is not there: `npm run build` makes it.\n', { status: 503 }));
  };
}

function login(door: Door, request: Asked, reply: Reply): void {
  const token = parsed(request.body)?.['token'];
  const cookie = door.mayAct(request) ?? door.login(typeof token === 'string' ? token : '', request.from);
  if (typeof cookie === 'string') reply('', { status: 204, headers: { 'set-cookie': cookie } });
  else refuse(reply, cookie);
}

const saved = {
  'content-type': 'application/json',
  'content-disposition': 'attachment; filename="dsm2mqtt-dump.json"',
};

function answer(reply: Reply, asked: Promise<object | string>, headers = {}): void {
  asked.then(
    content => reply(content, { headers }),
    (error: Error) => reply({ message: error.message }, { status: 409 }),
  );
}

function follow({ follow }: WebOptions, vm: VmKey, reply: Reply, gone: Asked['gone']): void {
  reply(streamed(), stream);
  const timer = setInterval(() => reply(streamed(), stream), heartbeat);
  gone(() => clearInterval(timer));
  const stop = follow(vm, lines => reply(streamed(lines ? { lines } : { end: true }), { ...stream, final: !lines }));
  if (stop) gone(stop);
  else reply(streamed({ end: true }), { ...stream, final: true });
}

/** In the words of a command's responses. The record names the visitor. */
function command({ submit }: WebOptions, { vm, body }: Asked & { vm: VmKey }, reply: Reply, { name }: Visitor): void {
  const refuse = (message: string, command: unknown = null) =>
    reply({ id: null, command, status: 'rejected', code: 'invalid_payload', message, remaining_ms: null });
  const said = parsed(body);
  const { typed: confirmation, ...rest } = said ?? {};
  const word = rest['command'];
  const confirm = word === 'rebuild' || word === 'rollback' ? { confirm: true } : {};
  if (said === null) refuse('a command is a JSON object of at most 4096 bytes');
  else if ((typed.has(word) || rest['on_timeout'] === 'force_off') && confirmation !== vm)
    refuse(`${word} needs "typed": "${vm}"`, word);
  else submit(vm, JSON.stringify({ ...rest, ...confirm, by: name }), (response, final) => reply(response, { final }));
}

function parsed(body: string | null): Record<string, unknown> | null {
  const value: unknown = orNull(() => JSON.parse(body ?? ''));
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
}
