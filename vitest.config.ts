import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * fast: pure code, in-process peers and fakes; no daemon, no root.
 * lab:  inside `scripts/lab`, against real libvirtd, QEMU and Mosquitto; one file at a time, they share the guest.
 */
export default defineConfig({
  test: {
    // Its default leaves one core idle, of two.
    maxWorkers: availableParallelism(),
    projects: [
      {
        test: { name: 'fast', include: ['test/**/*.test.ts'], exclude: ['test/**/*.lab.test.ts'], testTimeout: 30_000 },
      },
      {
        test: {
          name: 'lab',
          include: ['test/**/*.lab.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
