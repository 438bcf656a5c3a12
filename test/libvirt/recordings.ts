import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** Conversations of the official client with real daemons; fixtures/wire/README.md says how they came to be. */
export const releases = ['6.0.0', '9.0.0', '12.8.0'] as const;

export interface RecordedFrame {
  /** Which of the client's connections. */
  conn: number;
  from: 'client' | 'server';
  program: number;
  procedure: number;
  type: number;
  serial: number;
  status: number;
  /** The whole frame, length word included. */
  bytes: Buffer;
}

export function recording(release: (typeof releases)[number]): RecordedFrame[] {
  const file = new URL(`../fixtures/wire/libvirt-${release}.jsonl.gz`, import.meta.url);
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split('\n');
  return lines.map(line => {
    const { conn, from, program, procedure, type, serial, status, frame } = JSON.parse(line);
    const bytes = Buffer.from(frame, 'hex');
    return { conn, from, program: Number.parseInt(program, 16), procedure, type, serial, status, bytes };
  });
}
