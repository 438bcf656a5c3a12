/** How often each property of what is commanded is tried in the fast project. */
export const propertyRuns = {
  /** Whatever arrives as a command (`command.test.ts`). */
  payloads: 8_000,
  /** Whole stories of commands, libvirt and time (`machine.test.ts`). */
  stories: 6_000,
  /** The same with broker, libvirt and restarts of the bridge (`dispatcher.properties.test.ts`). */
  histories: 20_000,
} as const;
