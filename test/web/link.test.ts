import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Link, type LinkState } from '../../web/link.ts';

/** A browser and its bridge, as far as the connection needs them. */
class World {
  /** What the bridge answers to the next request; null: it does not answer. */
  answer: (() => Response) | null = () => new Response(this.#stream());
  asked = 0;
  told: LinkState[] = [];
  heard: unknown[] = [];
  #pages: ReadableStreamDefaultController<Uint8Array>[] = [];

  readonly link = new Link({
    hear: messages => this.heard.push(...messages),
    tell: state => this.told.push(state),
  });

  fetch(_path: string, { signal }: { signal: AbortSignal }): Promise<Response> {
    this.asked++;
    return new Promise((resolve, reject) => {
      if (this.answer) resolve(this.answer());
      signal.addEventListener('abort', () => {
        reject(signal.reason);
        for (const page of this.#pages.splice(0)) page.error(signal.reason);
      });
    });
  }

  #stream(): ReadableStream<Uint8Array> {
    return new ReadableStream({ start: page => void this.#pages.push(page) });
  }

  async say(text: string): Promise<void> {
    for (const page of this.#pages) page.enqueue(new TextEncoder().encode(text));
    await vi.advanceTimersByTimeAsync(10);
  }

  async end(): Promise<void> {
    for (const page of this.#pages.splice(0)) page.close();
    await vi.advanceTimersByTimeAsync(10);
  }

  async hide(hidden: boolean): Promise<void> {
    this.link.look(hidden);
    await vi.advanceTimersByTimeAsync(10);
  }

  get state(): string | undefined {
    return this.told.at(-1)?.is;
  }
}

let world: World;

beforeEach(() => {
  vi.useFakeTimers();
  world = new World();
  vi.stubGlobal('fetch', world.fetch.bind(world));
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function connected(): Promise<void> {
  void world.link.run();
  await vi.advanceTimersByTimeAsync(10);
  await world.say('data: {"user":null}\n\n');
  expect([world.state, world.heard]).toEqual(['live', [{ user: null }]]);
}

test('silent for 45 s, it connects anew at once; a comment is a sign of life', async () => {
  await connected();
  await vi.advanceTimersByTimeAsync(40_000);
  await world.say(':\n\n');
  await vi.advanceTimersByTimeAsync(44_000);
  expect([world.state, world.asked]).toEqual(['live', 1]);
  await vi.advanceTimersByTimeAsync(1_100);
  expect([world.state, world.asked]).toEqual(['silent', 2]);
  await world.say(':\n\n');
  expect(world.told.at(-1)).toEqual({ is: 'live', round: 2, said: null });
});

test('the bridge goes: it tries later and later, says why it is refused, and is there again', async () => {
  await connected();
  const working = world.answer;
  world.answer = () => Response.json({ message: 'too many pages are open' }, { status: 503 });
  await world.end();
  expect(world.told.at(-1)).toEqual({ is: 'away', round: 1, said: null });
  await vi.advanceTimersByTimeAsync(1_300);
  expect(world.told.at(-1)).toEqual({ is: 'away', round: 1, said: 'Too many pages are open.' });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(world.asked).toBeGreaterThan(10);
  expect(world.asked).toBeLessThan(25);
  world.answer = working;
  await vi.advanceTimersByTimeAsync(6_300);
  await world.say(':\n\n');
  expect([world.state, world.told.at(-1)?.round]).toEqual(['live', 2]);
});

test('one that does not answer is away after 15 s', async () => {
  world.answer = null;
  void world.link.run();
  await vi.advanceTimersByTimeAsync(15_100);
  expect(world.state).toBe('away');
});

test('a token is wanted: it waits, and tries when it is told to', async () => {
  const working = world.answer;
  world.answer = () => Response.json({ message: 'a token is needed.' }, { status: 401 });
  void world.link.run();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(world.told.at(-1)).toEqual({ is: 'locked', round: 0, said: 'A token is needed.' });
  // Whoever looks for the token elsewhere finds the form as it was.
  await world.hide(true);
  await vi.advanceTimersByTimeAsync(60_000);
  await world.hide(false);
  expect(world.state).toBe('locked');
  world.answer = working;
  world.link.again();
  await vi.advanceTimersByTimeAsync(10);
  await world.say(':\n\n');
  expect(world.state).toBe('live');
});

test('hidden for 30 s, it gives its connection back, and comes back when it is seen', async () => {
  await connected();
  await world.hide(true);
  await vi.advanceTimersByTimeAsync(29_000);
  expect(world.state).toBe('live');
  await vi.advanceTimersByTimeAsync(600_000);
  expect([world.state, world.asked]).toEqual(['connecting', 1]);
  await world.hide(false);
  await world.say(':\n\n');
  expect([world.state, world.asked]).toEqual(['live', 2]);
  await world.hide(true);
  await vi.advanceTimersByTimeAsync(20_000);
  await world.hide(false);
  await vi.advanceTimersByTimeAsync(20_000);
  expect([world.state, world.asked]).toEqual(['live', 2]);
});
