import { createRequire } from 'node:module';
import { type DestinationStream, pino, stdSerializers, stdTimeFunctions } from 'pino';
import type { Logger } from './logger.ts';

/** The process's logger: JSON lines with ISO time and the level's name. */
export interface LoggerOptions {
  level: 'error' | 'warn' | 'info' | 'debug';
  /** Lines for people, if pino-pretty is installed. */
  pretty: boolean;
  destination: DestinationStream;
  /** Loads pino-pretty; throws where there is none. */
  loadPretty?: () => Pretty;
}

/** The part of pino-pretty in use: `prettyFactory` makes a function from a JSON line to lines for people. */
interface Pretty {
  prettyFactory(options: object): (line: string) => string;
}

export function createLogger({ level, pretty, destination, loadPretty = requirePretty }: LoggerOptions): Logger {
  const stream = pretty ? prettyStream(destination, loadPretty) : destination;
  const logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      serializers: { err: stdSerializers.err, error: stdSerializers.err },
      redact: { paths: secretPaths, censor: '***' },
    },
    stream ?? destination,
  );
  if (pretty && !stream) {
    logger.warn({ event: 'log.pretty_unavailable' }, 'pino-pretty is not installed; logging JSON');
  }
  return logger;
}

/** A second safeguard: no part logs a secret on purpose, but an error may contain its options. */
const secretNames = ['password', 'passwd', 'passphrase', 'secret', 'token', 'authorization', 'privateKey'];
const secretPaths = secretNames.flatMap(name => [name, `*.${name}`, `*.*.${name}`, `*.*.*.${name}`]);

function prettyStream(destination: DestinationStream, loadPretty: () => Pretty): DestinationStream | null {
  try {
    const format = loadPretty().prettyFactory({ ignore: 'event', messageFormat: '{event}: {msg}' });
    return { write: line => destination.write(format(line)) };
  } catch {
    return null;
  }
}

function requirePretty(): Pretty {
  return createRequire(import.meta.url)('pino-pretty') as Pretty;
}
