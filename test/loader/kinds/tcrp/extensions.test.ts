/** Extensions' indexes as servers give them. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { lookUp } from '../../../../src/loader/kinds/tcrp/extensions.ts';
import type { World } from '../../../../src/loader/plan/world.ts';
import { parsePlatformId } from '../../../../src/loader/platforms.ts';
import { soon } from '../../image/images.ts';
import { index } from '../../rebuild-world.ts';

const url = 'https://extensions.test/redpill-virtio/rpext-index.json';
const json = (text: string): RequestListener => {
  return (_, response) => response.setHeader('content-type', 'application/json').end(text);
};
const failed = (status: number): RequestListener => {
  return (_, response) => response.writeHead(status).end(index('ds918p_42962'));
};

const parsed = parsePlatformId('ds918p-7.1.1-42962');
/** Of one extension. */
async function recipeOf(world: Pick<World, 'fetch'>, signal = soon(), from = url) {
  const [found] = await lookUp(world, [from], 'id' in parsed ? parsed.id : null, signal);
  return found?.recipe;
}

/** A server on this machine, under the name of another. */
async function serve(listener: RequestListener): Promise<AsyncDisposable & Pick<World, 'fetch'>> {
  const server = createServer(listener);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    fetch: (wanted, init) => fetch(wanted.replace('https://extensions.test', `http://127.0.0.1:${port}`), init),
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections();
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
}

describe('an index', () => {
  test.each<[string, RequestListener, string]>([
    ['that has it', json(index('ds918p_42661', 'ds918p_42962')), 'yes'],
    ['that has others', json(index('ds918p_42661')), 'no'],
    ['that has none', json('{"releases":{}}'), 'no'],
    ['that has it without a recipe', json('{"releases":{"ds918p_42962":null}}'), 'no'],
    ['that was moved', moved(), 'yes'],
    ['that is the page that shows it', json('<!DOCTYPE html><html></html>'), 'no_index'],
    ['of something else', json('{"id":"x"}'), 'no_index'],
    ['that is a list', json('[]'), 'no_index'],
    ['that is null', json('null'), 'no_index'],
    ['that is not there', failed(404), 'no_index'],
    ['that is there no more', failed(410), 'no_index'],
    ['that is not given away', failed(403), 'unknown'],
    ['too often asked for', failed(429), 'unknown'],
    ['of a server in trouble', failed(503), 'unknown'],
    ['as large as no index is', json(`${' '.repeat(1024 ** 2)}${index('ds918p_42962')}`), 'unknown'],
    ['that ends in the middle', broken(), 'unknown'],
  ])('%s', async (_, listener, expected) => {
    await using server = await serve(listener);
    expect(await recipeOf(server)).toBe(expected);
  });

  test('that is never asked for, because its URL is not safe', async () => {
    const fetch = vi.fn(() => Promise.reject(new Error('asked')));
    expect(await recipeOf({ fetch }, soon(), 'http://extensions.test/x.json')).toBe('unknown');
    expect(fetch).not.toHaveBeenCalled();
  });

  test('given up: the signal’s reason', async () => {
    const controller = new AbortController();
    await using server = await serve(() => controller.abort(new Error('enough')));
    await expect(recipeOf(server, controller.signal)).rejects.toThrow('enough');
  });
});

function moved(): RequestListener {
  return (request, response) => {
    if (request.url === '/there.json') response.end(index('ds918p_42962'));
    else response.writeHead(302, { location: '/there.json' }).end();
  };
}

function broken(): RequestListener {
  return (_, response) => {
    response.writeHead(200, { 'content-length': '100000' });
    response.write('{"releases":', () => response.destroy());
  };
}
