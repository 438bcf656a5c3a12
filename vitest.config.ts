import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** What builds a loader in the guest. */
const loader = [
  'test/e2e/rebuild.lab.test.ts',
  'test/lab/loader*.lab.test.ts',
  'test/lab/loader/*.lab.test.ts',
  'test/loader/**/*.lab.test.ts',
];
/** Real daemons and a guest that they share: one file at a time. */
const real = { testTimeout: 600_000, hookTimeout: 600_000, fileParallelism: false };

/**
 * fast: pure code, in-process peers and fakes; no daemon, no root.
 * lab:  inside `scripts/lab`, against real libvirtd, QEMU and Mosquitto.
 * loader: likewise; so long that it has a lab of its own.
 * container: inside `scripts/lab --with container`, the image that `--root-only` has built.
 * release: inside `scripts/lab --with release`, what `test/release/make` has made.
 * brokers: inside `scripts/lab --with brokers`, against NATS, RabbitMQ and Prometheus.
 * home-assistant: inside `scripts/lab --release forky --with home-assistant`, against that too.
 */
export default defineConfig({
  test: {
    // Its default leaves one core idle, of two.
    maxWorkers: availableParallelism(),
    // On a loaded machine anything may take ten times its time.
    expect: { poll: { timeout: 60_000 } },
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.{lab,ha,image,release,brokers}.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      { test: { ...real, name: 'lab', include: ['test/**/*.lab.test.ts'], exclude: loader } },
      { test: { ...real, name: 'loader', include: loader } },
      { test: { ...real, name: 'container', include: ['test/**/*.image.test.ts'] } },
      { test: { ...real, name: 'release', include: ['test/**/*.release.test.ts'] } },
      { test: { ...real, name: 'brokers', include: ['test/**/*.brokers.test.ts'] } },
      { test: { ...real, name: 'home-assistant', include: ['test/**/*.ha.test.ts'] } },
    ],
  },
});
