import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { isLine, readRecord, withBootTimes } from '../bridge/history.ts';
import type { Event, VmKey } from '../model/snapshot.ts';
import type { State } from '../model/state.ts';
import { Door } from '../servers/door.ts';
import { Samples } from '../servers/samples.ts';
import { type Asks, type Content, type PageFile, type WebOptions, webServer } from '../servers/web.ts';
import { inTime } from '../util/deadline.ts';
import type { Line } from '../util/line-file.ts';
import { shared } from '../util/shared.ts';
import type { Host } from './host/host.ts';
import type { Base, Publishers } from './publishers.ts';

/** What the command line finds out and prints, as text. */
export interface Reports {
  plan: (vm: VmKey) => Promise<string>;
  /** JSON without secrets. */
  dump: () => Promise<string>;
}

/** How this machine, and the page, reach a VM. */
export interface Reach extends Pick<WebOptions, 'submit' | 'follow'> {
  hostOf: (key: VmKey) => Host;
  reports?: Reports | undefined;
  /** What an earlier bridge in this process has; default: none yet. */
  samples?: Samples | undefined;
}

/** From where the Supervisor's ingress comes (developers.home-assistant.io/docs/apps/presentation#ingress). */
const supervisor = '172.30.32.2';
/** Milliseconds that a hanging file system may delay the record. */
const storePatience = 500;
/** Milliseconds for which several pages get the same picture. */
const pictureLife = 1_500;
const types = { 'index.html': 'text/html', 'app.js': 'text/javascript', 'app.css': 'text/css' } as const;

/** The page's server, and what it remembers; null: none is configured. */
export function createPage(
  { config, logger, states, stores }: Base,
  { live }: Publishers,
  { hostOf, reports, samples: given, ...bridge }: Reach,
) {
  const { dataDir, hosts, web } = config;
  if (!web.listen) return null;
  const samples = given ?? new Samples(Math.max(...hosts.map(({ statsInterval }) => statsInterval)));
  const door = new Door({ token: web.token, supervisor: web.ingress ? supervisor : null, port: web.listen.port });
  const files = new Map<PageFile, Promise<Content>>();
  const screen = shared(async key => {
    const picture = await hostOf(key).takePicture(key);
    if (Buffer.isBuffer(picture)) return picture;
    throw new Error(picture.message);
  }, pictureLife);
  const report = (make: (reports: Reports, key: VmKey) => Promise<string>) =>
    shared(async key => {
      if (!reports) throw new Error('this bridge does not tell that');
      return await make(reports, key);
    });
  const [plan, dump] = [report((all, key) => all.plan(key)), report(all => all.dump())];
  const ask: Asks = {
    samples: async (key, hours) => samples.graph(key, hours, Date.now() / 1_000),
    record: async (key, days) => {
      // What was just told may not be written yet.
      await inTime(stores.records.all.settled(), storePatience, null);
      const { lines } = await readRecord(dataDir, key);
      return { lines: linesSince(withBootTimes(lines).filter(isLine), Date.now() - days * 86_400_000) };
    },
    screen: async key => {
      const listed = live.commandsOf(key).includes('screenshot');
      if (!listed) throw new Error('`screenshot` is not among the commands of this VM: its screen is not shown');
      return await screen(key);
    },
    plan: async key => ({ text: await plan(key) }),
    dump: () => dump(''),
  };
  const server = webServer({
    ...{ ...web.listen, door, live, ask, ...bridge, known: key => states.has(key) },
    file: name => {
      const known = files.get(name) ?? content(name);
      files.set(name, known);
      // One that was not there may be built meanwhile.
      known.catch(() => files.delete(name));
      return known;
    },
    logger: logger.child({ part: 'web' }),
  });
  return {
    samples,
    start: () => server.start(),
    hear: (event: Event, state: State) => {
      live.hear(event);
      // Another host may have a VM of this name, which is off.
      if (event.type === 'stats') samples.hear(event.stats, states.ownedBy(state, [...event.stats.keys()]));
    },
    close: () => {
      server.close();
      live.close();
    },
  };
}

async function content(name: PageFile): Promise<Content> {
  const bytes = await readFile(join(import.meta.dirname, '../../dist/web', name));
  const tag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
  return { type: `${types[name]}; charset=utf-8`, bytes, gzip: await promisify(gzip)(bytes, { level: 9 }), tag };
}

/** With the verdict and the quiet time that it begins with. `since`: milliseconds since 1970. */
function linesSince(lines: readonly Line[], since: number): Line[] {
  const first = lines.findIndex(({ at }) => Date.parse(at) >= since);
  const [before, after] = first < 0 ? [lines, []] : [lines.slice(0, first), lines.slice(first)];
  const still = ['verdict', 'quiet'].map(wanted => before.findLast(line => 'what' in line && line.what === wanted));
  return [...before.filter(line => still.includes(line)), ...after];
}
