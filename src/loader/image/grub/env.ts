import { ImageError } from '../image.ts';

/**
 * GRUB's environment block: 1024 bytes of `name=value` lines behind a signature, filled up with `#`. In a value `\` and
 * a line feed have a `\` before them; a line that begins with `#` is a comment. A loader's own scripts may have written
 * another size, which GRUB reads too (RR's reboottoloader writes 1042 bytes). Pure.
 */
export type GrubEnv = readonly Line[];

type Line = { readonly comment: string } | { readonly name: string; readonly value: string };

export const blockBytes = 1_024;
const mostBytes = 64 * 1_024;
const signature = '# GRUB Environment Block\n';
const encoding = 'latin1';

/** Throws `bad_grubenv`. */
export function parseGrubEnv(block: Buffer): GrubEnv {
  if (block.length > mostBytes) throw bad(`has ${block.length} bytes instead of ${blockBytes}`);
  const text = block.toString(encoding);
  if (!text.startsWith(signature)) throw bad('does not begin as it should');
  const body = text.slice(signature.length);
  const lines = body.match(/(?:#[^\n]*|(?:\\.|[^\\\n])*)\n/gsy) ?? [];
  if (!/^#*$/.test(body.slice(lines.join('').length))) throw bad('has a last line without an end');
  return lines.map(whole => {
    const line = whole.slice(0, -1);
    if (line.startsWith('#')) return { comment: line };
    const equals = line.indexOf('=');
    if (equals < 1) throw bad('has a line that sets nothing');
    return { name: line.slice(0, equals), value: decodeText(line.slice(equals + 1)) };
  });
}

export function grubEnvValue(env: GrubEnv, name: string): string | null {
  const line = env.find(each => 'name' in each && each.name === name);
  return line && 'name' in line ? line.value : null;
}

/** Sets this variable in its place, or after all others; null removes it. */
export function withGrubEnv(env: GrubEnv, name: string, value: string | null): GrubEnv {
  const at = env.findIndex(each => 'name' in each && each.name === name);
  const place = at === -1 ? env.length : at;
  return env.toSpliced(place, 1, ...(value === null ? [] : [{ name, value }]));
}

/** Throws `bad_grubenv` when it does not fit into a block. */
export function formatGrubEnv(env: GrubEnv): Buffer {
  const lines = env.map(line => ('comment' in line ? line.comment : `${line.name}=${encodeText(line.value)}`));
  const text = signature + lines.map(line => `${line}\n`).join('');
  if (text.length > blockBytes) throw bad(`would have ${text.length} bytes where ${blockBytes} have room`);
  return Buffer.from(text.padEnd(blockBytes, '#'), encoding);
}

function decodeText(raw: string): string {
  return Buffer.from(raw.replaceAll(/\\(.)/gs, '$1'), encoding).toString('utf8');
}

function encodeText(value: string): string {
  return Buffer.from(value, 'utf8')
    .toString(encoding)
    .replaceAll(/[\\\n]/g, '\\$&');
}

function bad(how: string): ImageError {
  return new ImageError('bad_grubenv', `GRUB’s environment block ${how}`);
}
