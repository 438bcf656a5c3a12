import * as z from 'zod';
import { usualNotices } from '../model/notice/notice.ts';
import { notificationTypes } from '../model/notice/notification.ts';
import { password } from './files.ts';
import { checked, duration, file, list, maybe, text, together } from './kinds.ts';
import { webUrl } from './rules/formats.ts';
import { onlyOneRule } from './rules/sections.ts';

/** Who is told over HTTP, without a broker. */

const address = checked(webUrl);

export const notify = z
  .strictObject({
    // The path of many is a secret.
    url: address.meta({
      description: 'Where each message is posted to, http or https. No user and password in it.',
      examples: ['https://ntfy.sh/my-nas'],
      writeOnly: true,
    }),
    format: z
      .enum(['json', 'ntfy'])
      .default('json')
      .describe('json posts a JSON document; ntfy a text, with title, priority and tags as headers.'),
    on: list(z.enum(notificationTypes))
      .prefault([...usualNotices])
      .describe('What is told. Default: what somebody should look at, and that it is over.'),
    token: maybe(text).meta({ description: 'Sent as `Authorization: Bearer`.', writeOnly: true }),
    token_file: maybe(file(password)).describe('File to read the token from, instead of `token`.'),
  })
  .check(together(onlyOneRule('token', 'token_file')))
  .transform(({ token_file, ...rest }) => ({ ...rest, token: rest.token ?? token_file }));

export const heartbeat = z.strictObject({
  url: address.meta({
    description: 'What is fetched at each interval while all is well with the bridge: as `/ready` has it.',
    examples: ['https://hc-ping.com/00000000-0000-4000-8000-000000000000'],
    writeOnly: true,
  }),
  interval: duration('10s').prefault('1m').describe('Time between two requests, at least 10s.'),
});
