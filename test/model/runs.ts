/** How often each property of what is commanded is tried in the fast project. */
export const propertyRuns = {
  /** Whatever arrives as a command (`command.test.ts`). */
  payloads: 8_000,
  /** Whole histories of broker, commands, libvirt, time and restarts (`dispatcher.properties.test.ts`). */
  histories: 20_000,
} as const;
