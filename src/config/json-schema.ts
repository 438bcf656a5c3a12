import * as z from 'zod';
import { configSchema } from './config.ts';

/** As zod makes it. It takes a while, so the build replaces this module by what it makes. */
export const input = z.toJSONSchema(configSchema, { io: 'input' }) as object;
