import { expect, test } from 'vitest';
import { createLogger, type LoggerOptions } from '../../src/util/pino.ts';

function capture(options: Partial<LoggerOptions> = {}) {
  let text = '';
  const destination = {
    write: (line: string) => {
      text += line;
    },
  };
  const logger = createLogger({ level: 'debug', pretty: false, destination, ...options });
  return {
    logger,
    text: () => text,
    lines: () =>
      text
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line) as Record<string, unknown>),
  };
}

test('a line carries ISO time, the name of the level, the event, the fields and the message', () => {
  const { logger, lines } = capture();
  logger.child({ part: 'mqtt' }).info({ event: 'mqtt.connected', broker: 'b' }, 'connected');
  expect(lines()).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      part: 'mqtt',
      event: 'mqtt.connected',
      broker: 'b',
      msg: 'connected',
    },
  ]);
});

test('levels below the chosen one are not logged', () => {
  const { logger, text } = capture({ level: 'warn' });
  logger.info({ event: 'a' }, 'a');
  expect(text()).toBe('');
});

test.each([
  { password: 'hunter2' },
  { options: { password: 'hunter2', token: 'hunter2' } },
  { client: { options: { passphrase: 'hunter2' } } },
  { err: Object.assign(new Error('refused'), { options: { password: 'hunter2' } }) },
])('a secret is masked in %j', fields => {
  const { logger, text } = capture();
  logger.error({ event: 'x', ...fields }, 'failed');
  expect(text()).toContain('***');
  expect(text()).not.toContain('hunter2');
});

test('an error has its message and stack, under either name', () => {
  const { logger, lines } = capture();
  logger.error({ event: 'x', error: new Error('boom') }, 'failed');
  expect(lines()[0]?.['error']).toMatchObject({ type: 'Error', message: 'boom', stack: expect.any(String) });
});

test('pretty lines show the event and the message, and no secret', () => {
  const { logger, text } = capture({ pretty: true });
  logger.info({ event: 'vm.started', password: 'hunter2' }, 'started');
  expect(text()).toContain('vm.started: started');
  expect(text()).not.toContain('hunter2');
});

test('without pino-pretty there is JSON and one warning', () => {
  const { logger, lines } = capture({
    pretty: true,
    loadPretty: () => {
      throw new Error('not installed');
    },
  });
  logger.info({ event: 'a' }, 'one');
  logger.info({ event: 'b' }, 'two');
  expect(lines().map(line => line['event'])).toEqual(['log.pretty_unavailable', 'a', 'b']);
});
