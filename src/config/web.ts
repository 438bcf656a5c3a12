import * as z from 'zod';
import { token } from './files.ts';
import { type Complain, checked, file, maybe, together } from './kinds.ts';
import { listen } from './rules/formats.ts';
import { valueAt } from './value.ts';

/** Where the bridge listens for HTTP. */

/** `HOST:PORT`; null: nowhere. */
export function place(meta: { description: string; examples: string[] }) {
  return checked(listen)
    .meta(meta)
    .transform(text => {
      if (text === 'off') return null;
      const at = text.lastIndexOf(':');
      return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
    });
}

export const web = z
  .strictObject({
    listen: place({
      description: 'Where the page is served over HTTP, or off.',
      examples: ['127.0.0.1:8098', 'off'],
    }).prefault('off'),
    token_file: maybe(file(token)).describe(
      'File to read the token from that the page asks for; needed unless it is for this machine, or for Home Assistant, alone.',
    ),
    ingress: z
      .boolean()
      .default(false)
      .describe("Lets Home Assistant's users in, who come from its Supervisor (172.30.32.2); set by the app."),
  })
  .check(together(doorRule))
  .transform(({ token_file, ...rest }) => ({ ...rest, token: token_file }));

/** The page's address for other machines; null: it is for this one alone, or it cannot be told by which name they reach it. */
export function pageUrl(listen: { host: string; port: number } | null): string | null {
  if (!listen || /^(localhost|127\..*|0\.0\.0\.0|\[::1?\])$/i.test(listen.host)) return null;
  return `http://${listen.host}:${listen.port}/`;
}

/** Whoever reaches the page may do all that `commands` allows. */
function doorRule(web: unknown, complain: Complain): void {
  const host = valueAt(web, ['listen', 'host']);
  if (typeof host !== 'string' || /^(localhost$|127\.)/i.test(host)) return;
  if (valueAt(web, ['ingress']) === true || (valueAt(web, ['token_file']) ?? null) !== null) return;
  const hint = 'make one by `openssl rand -hex 32`, or listen on 127.0.0.1';
  complain(['listen'], 'other machines reach this address, and there is no token_file', hint);
}
