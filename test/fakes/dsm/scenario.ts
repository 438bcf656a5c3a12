import { readFileSync } from 'node:fs';
import type { Fields } from './findhostd.ts';

/**
 * What DSM serves in each of its phases, as files below test/lab/guest/rootfs/dsm: the lab's guest reads the same ones
 * (docs/lab.md has their format).
 */

export const scenarioFolder = new URL('../../lab/guest/rootfs/dsm/', import.meta.url);

/** The folders there. */
export const scenarioNames = [
  'booting',
  'hibernating',
  'installer',
  'installing',
  'loader',
  'migratable',
  'no-disk',
  'other-page',
  'port-closed',
  'portal',
  'recoverable',
  'silent-boot',
  'starting',
  'up',
  'updating',
  'web-dead',
] as const;
export type ScenarioName = (typeof scenarioNames)[number];

/** What a port does with who connects. */
export type Service =
  /** Answers requests with the pages of a site; `https` behind TLS. */
  | { kind: 'http' | 'https'; site: string }
  /** Says this first, and nothing more. */
  | { kind: 'banner'; words: Buffer }
  /** Accepts, and never says anything. */
  | { kind: 'mute' };

export interface Scenario {
  name: ScenarioName;
  ports: ReadonlyMap<number, Service>;
  /** What it tells of itself; null: nothing listens. Address and MAC are those of whoever serves it. */
  findhostd: Partial<Fields> | null;
  /** The whole answer to a request. */
  page(site: string, method: string, target: string): Buffer;
}

/** Throws for a name without a folder, and for files that are not as they should be. */
export function readScenario(name: ScenarioName): Scenario {
  if (!scenarioNames.includes(name)) {
    throw new RangeError(`There is no scenario '${name}'. There are: ${scenarioNames.join(' ')}`);
  }
  const file = (path: string) => readFileOf(name, path);
  return {
    name,
    ports: new Map(linesOf(file('ports')).map(line => readPort(line, file))),
    findhostd: readFields(linesOf(file('findhostd'))),
    page: (site, method, target) => {
      const page = file(`${site}${pathOf(target)}`) ?? file(`${site}/otherwise`);
      if (page === null) throw new Error(`scenario ${name} has no ${site}/otherwise`);
      return answerOf(page, method);
    },
  };
}

/** nginx's answer where there should have been a TLS handshake. */
export function plainToHttps(): Buffer {
  const page = 'HTTP/1.1 400 Bad Request\nServer: nginx\nContent-Type: text/html\n\n';
  return answerOf(Buffer.from(`${page}<html><body>The plain HTTP request was sent to HTTPS port</body></html>`), 'GET');
}

/** That of the scenario itself, or of the one that it is like; null: neither has it. */
function readFileOf(name: string, path: string): Buffer | null {
  const own = read(`${name}/${path}`);
  if (own) return own;
  const other = read(`${name}/like`)?.toString().trim();
  return other ? readFileOf(other, path) : null;
}

function read(path: string): Buffer | null {
  try {
    return readFileSync(new URL(path, scenarioFolder));
  } catch (error) {
    if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

function linesOf(file: Buffer | null): string[] {
  return (file?.toString() ?? '').split('\n').filter(line => line !== '');
}

/** `5000 http web`, `22 banner ssh`, `445 mute` */
function readPort(line: string, file: (path: string) => Buffer | null): [number, Service] {
  const [port, kind, argument = ''] = line.split(' ');
  const service: Service | null =
    kind === 'http' || kind === 'https'
      ? { kind, site: argument }
      : kind === 'banner'
        ? { kind, words: file(argument) ?? Buffer.alloc(0) }
        : kind === 'mute'
          ? { kind }
          : null;
  if (!service) throw new Error(`no port: ${line}`);
  return [Number(port), service];
}

/** A word and its value in each line; none: it is silent. */
function readFields(lines: readonly string[]): Partial<Fields> | null {
  if (lines.length === 0) return null;
  const fields = new Map(lines.map(line => [line.split(' ', 1)[0], line.slice(line.indexOf(' ') + 1)]));
  const text = (name: keyof Fields) => fields.get(name) ?? null;
  const number = (name: keyof Fields) => (fields.has(name) ? Number(fields.get(name)) : null);
  return {
    ...{ type: number('type'), state: number('state'), name: text('name'), model: text('model') },
    ...{ version: text('version'), build: number('build'), update: number('update') },
    ...{ httpPort: number('httpPort'), httpsPort: number('httpsPort') },
  };
}

/** The path below a site's folder; nothing leads out of it. */
function pathOf(target: string): string {
  const [path] = /^\/[\w./-]*/.exec(target) ?? [];
  if (path === undefined || path.includes('/.')) return '/otherwise';
  return path.endsWith('/') ? `${path}index` : path;
}

/** A page's file is its status line and headers, an empty line, and the body. */
function answerOf(page: Buffer, method: string): Buffer {
  const text = page.toString('latin1');
  const end = text.indexOf('\n\n');
  const body = text.slice(end + 2);
  const head = [...text.slice(0, end).split('\n'), `Content-Length: ${body.length}`, 'Connection: close', '', ''];
  return Buffer.from(head.join('\r\n') + (method === 'HEAD' ? '' : body), 'latin1');
}
